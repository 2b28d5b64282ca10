"""Fetches weights from the Hugging Face Hub: "hf:org/name[@revision][:file]".

The library keeps them in its own cache. $HF_ENDPOINT names another server.
"""

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from scenic_video.errors import UserError
from scenic_video.weights.containers.folders import CONFIGS, INDEX, PREFERRED
from scenic_video.weights.locations.cache import Progress

ADDRESS = re.compile(
    r"hf:(?P<repository>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[^:@]+))?(:(?P<file>[^:]+))?"
)
ENDINGS = (".safetensors", ".npz", ".msgpack", ".bin", ".pth", ".pt", ".ckpt")
"""Of files that may hold weights, in a repository that has none of the usual names."""


def fetch(location: str, progress: Progress | None) -> Path:
    """The local copy of a file, with those that belong to it beside it. Errors: UserError."""
    found = ADDRESS.fullmatch(location)
    if found is None:
        raise UserError(f"{location} is not of the form hf:org/name[@revision][:file].")
    try:
        import huggingface_hub  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"{location} needs: pip install 'scenic_video[hub]'.") from error
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        api = huggingface_hub.HfApi(endpoint=endpoint)
        info = api.repo_info(found["repository"], revision=found["revision"])
        files = {sibling.rfilename for sibling in info.siblings or ()}
        name = _chosen(location, files, found["file"])

        def get(file: str) -> Path:
            path = huggingface_hub.hf_hub_download(
                found["repository"],
                file,
                revision=info.sha,
                endpoint=endpoint,
                tqdm_class=_bar(progress),
            )
            return Path(path)

        folder = name.rpartition("/")[0]
        beside = {f"{folder}/{config}.json".lstrip("/") for config in CONFIGS}
        for file in beside & files:
            get(file)
        path = get(name)
        for part in _parts(path) if name.endswith(INDEX) else ():
            get(f"{folder}/{part}".lstrip("/"))
        return path
    except UserError:
        raise
    except Exception as error:  # of the library, of its http client, of the network
        raise UserError(f"{location} cannot be fetched: {_reason(error)}.") from error


def _chosen(location: str, files: Collection[str], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in files:
            raise UserError(f"{location}: there is no such file; there are {_some(files)}.")
        return wanted
    for name in PREFERRED:
        if name in files:
            return name
    found = sorted(name for name in files if name.endswith(ENDINGS))
    if len(found) != 1:
        what = f"{len(found)} files of weights" if found else "no file of weights"
        raise UserError(
            f"{location} has {what} ({_some(found or files)}); name one: {location}:FILE."
        )
    return found[0]


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:8]) + (", ..." if len(names) > 8 else "")


def _parts(index: Path) -> list[str]:
    """The files that an index lists; it is checked when it is read."""
    names = json.loads(index.read_bytes()).get("weight_map", {}).values()
    return sorted({name for name in names if Path(name).name == name})


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = " ".join(line for line in lines if not line.startswith("For more details"))
    return f"{type(error).__name__}: {words[:300].rstrip('.')}"


def _bar(progress: Progress | None) -> Any:
    """A progress bar as the library wants it, which shows nothing and calls `progress`."""
    from huggingface_hub.utils import tqdm  # pyright: ignore[reportMissingImports]

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **fields: Any):
            super().__init__(*arguments, **{**fields, "disable": True})

        def update(self, n: int | float | None = 1) -> bool | None:
            self.n += n or 0
            if progress is not None:
                progress(int(self.n), None if self.total is None else int(self.total))
            return None

    return Bar
