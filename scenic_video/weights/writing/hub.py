"""Uploads a folder to the Hugging Face Hub."""

import os
import re
from pathlib import Path
from typing import Any

from scenic_video.errors import UserError

LOCATION = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)")
LOGIN = "Log in by `hf auth login`, or set the environment variable HF_TOKEN."


def check_upload(location: str) -> str:
    """The repository that "hf:org/name" names.

    Errors: UserError for another form, without the library huggingface_hub, or without a token.
    """
    match = LOCATION.fullmatch(location)
    if match is None:
        raise UserError(f"A repository of the Hub is named hf:org/name; got {location!r}.")
    if _hub().get_token() is None:
        raise UserError(f"There is no token of the Hugging Face Hub for {location}. {LOGIN}")
    return match["repository"]


def upload(folder: Path, location: str) -> str:
    """Uploads all files of `folder` to the repository "hf:org/name", which is made as a private one
    if it does not exist; returns the address of the commit.

    Errors: UserError also for what the Hub refuses, and without a network.
    """
    repository, hub = check_upload(location), _hub()
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        api.create_repo(repository, private=True, exist_ok=True)
        commit = api.upload_folder(repo_id=repository, folder_path=folder)
    except Exception as error:  # of the library, or of its HTTP client
        words = " ".join(str(error).split())[:300]
        raise UserError(
            f"{folder} was written, but {location} refused it: {type(error).__name__}: {words}"
        ) from error
    return str(commit.commit_url)


def _hub() -> Any:
    try:
        import huggingface_hub  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("An upload needs: pip install 'scenic_video[hub]'.") from error
    return huggingface_hub
