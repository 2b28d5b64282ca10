"""What a run would start from and that is not there: runs, files, public checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etils import epath

from scenic_video.checkpoints.storage import steps_in
from scenic_video.config import ConfigError
from scenic_video.runs.absent_data import REMEDY, absent
from scenic_video.runs.initialization.sources import listed
from scenic_video.weights.locations.public import absent_words, is_public
from scenic_video.weights.locations.reading import split


def refuse_absent_sources(config: Mapping[str, Any], workdir: str | Path) -> None:
    """Errors: ConfigError if what `init` names does not exist, which also says which data do not.

    A run that has checkpoints continues from those.
    """
    missing = absent_sources(config["init"])
    if missing and not steps_in(epath.Path(workdir) / "checkpoints"):
        data = absent(config["dataset"])
        raise ConfigError("\n".join([*missing, *([f"{data} {REMEDY}"] if data else [])]))


def absent_sources(init: Mapping[str, Any]) -> list[str]:
    """A sentence for each local run or file that `init` names and that does not exist, and for each
    public checkpoint that was not pulled."""
    runs = [
        f"There is no trained run {workdir!r}, which init.workdir names. Train it first, name "
        "another by --config.init.workdir=RUN or a checkpoint by --config.init.path=FILE, or start "
        "at random by --config.init.workdir=''."
        for workdir in listed(init.get("workdir"))
        if "://" not in workdir and not (Path(workdir) / "checkpoints").is_dir()
    ]
    files = [words for path in listed(init.get("path")) if (words := _absent_file(path))]
    if files:
        files.append(
            "Or name another file by --config.init.path=FILE, or start at random by "
            "--config.init.path=''."
        )
    return runs + files


def _absent_file(location: str) -> str:
    """What to do about a file that `init.path` names; "" if it is there, or is remote."""
    path, _ = split(location)
    if is_public(path):
        return absent_words(path)
    if ":" in path or Path(path).expanduser().exists():
        return ""
    return f"There is no file {path!r}, which init.path names."
