"""Refuses to go on with a run whose video files were replaced since it began."""

from pathlib import Path

import jax

from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset
from scenic_video.runs.workdir.file_record import Comparison, FileRecord, compare, files_of
from scenic_video.runs.workdir.lock import any_process

RECORD = "files.npz"
MOST_NAMED = 5


def check_files(dataset: Dataset, workdir: Path, *, resumes: bool) -> str:
    """Compares the files of a run with those it began with; a sentence on what it found, or "".

    A run that begins notes them in `workdir`. The first process looks, for all. Errors: ConfigError
    on all of them where a file has another content.
    """
    said, problem = "", None
    if jax.process_index() == 0:
        try:
            said = _check(dataset, workdir / RECORD, resumes=resumes)
        except (ConfigError, OSError) as error:
            problem = error
    if any_process(problem is not None):
        raise problem or ConfigError("Process 0 refuses to go on, and says why.")
    return said


def _check(dataset: Dataset, path: Path, *, resumes: bool) -> str:
    files = files_of(dataset.splits)
    record = FileRecord.load(path) if resumes else None
    found = None if record is None else compare(record, files)
    if found is None:
        was_there = path.exists()
        FileRecord.of(files).save(path)
        return f"{path} could not be read; it is written anew." if resumes and was_there else ""
    if found.replaced:
        raise ConfigError(_refusal(found, files, path))
    if not found.rewritten:
        return ""
    found.now.save(path)
    return (
        f"{len(found.rewritten)} of {len(files)} video files were written at another time than "
        f"those this run began with; they have the same sizes, and the {found.num_same} that were "
        "compared the same content."
    )


def _refusal(found: Comparison, files: list[str], path: Path) -> str:
    named = "\n".join(f"  {files[position]}" for position in found.replaced[:MOST_NAMED])
    more = len(found.replaced) - MOST_NAMED
    return (
        f"{len(found.replaced)} of {len(files)} video files are not those this run began with:\n"
        f"{named}" + (f"\n  and {more} more" if more > 0 else "") + "\nUse another --workdir for "
        f"the new files, or put the old ones back; to go on with them as they are, delete {path}."
    )
