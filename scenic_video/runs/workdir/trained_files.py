"""Refuses to continue a run whose video files were replaced since it started."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset, Example
from scenic_video.data.provenance.file_states import Comparison, FileStates, compare
from scenic_video.data.sources.fingerprint import StoredExamples
from scenic_video.runs.workdir.lock import any_process

STATES_FILE = "files.npz"
MOST_NAMED = 5


def check_files(dataset: Dataset, workdir: Path, *, resumes: bool) -> str:
    """Compares the files of a run with those it started with; returns a remark, or "".

    A run that starts writes their states to `workdir`. Process 0 compares for all processes.
    Errors: ConfigError in all of them if the content of a file has changed.
    """
    remark, problem = "", None
    if jax.process_index() == 0:
        try:
            remark = _check(dataset, workdir / STATES_FILE, resumes=resumes)
        except (ConfigError, OSError) as error:
            problem = error
    if any_process(problem is not None):
        raise problem or ConfigError("Process 0 refuses to continue; its log states the reason.")
    return remark


def files_of(splits: Mapping[str, Sequence[Example]]) -> list[str]:
    """The video files of all splits, each once. Splits of stored examples have none."""
    files: dict[str, None] = {}
    for name in sorted(splits):
        if not isinstance(splits[name], StoredExamples):
            files.update((one.video, None) for one in splits[name] if isinstance(one.video, str))
    return list(files)


def _check(dataset: Dataset, path: Path, *, resumes: bool) -> str:
    files = files_of(dataset.splits)
    earlier = FileStates.load(path) if resumes else None
    found = None if earlier is None else compare(earlier, files)
    if found is None:
        existed = path.exists()
        FileStates.of(files).save(path)
        return f"{path} was unreadable; it has been written again." if resumes and existed else ""
    if found.replaced:
        raise ConfigError(_refusal(found, files, path))
    if not found.rewritten:
        return ""
    found.now.save(path)
    return (
        f"{len(found.rewritten)} of {len(files)} video files were written again since this run "
        f"started. They have the same sizes, and the {found.num_same} that were compared have the "
        "same content."
    )


def _refusal(found: Comparison, files: list[str], path: Path) -> str:
    named = "\n".join(f"  {files[position]}" for position in found.replaced[:MOST_NAMED])
    more = len(found.replaced) - MOST_NAMED
    return (
        f"{len(found.replaced)} of {len(files)} video files have changed since this run started:\n"
        f"{named}" + (f"\n  and {more} more" if more > 0 else "") + "\nUse another --workdir for "
        f"the new files, or restore the old ones; to continue with the new ones, delete {path}."
    )
