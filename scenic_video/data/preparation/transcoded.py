"""Transcodes a dataset: writes its files and the manifests that name them."""

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.data.examples import Dataset, Example
from scenic_video.data.file_names import LONGEST
from scenic_video.data.preparation.jobs import Job, Result
from scenic_video.data.preparation.transcoding import transcode_many
from scenic_video.data.provenance.notes import Note, claim
from scenic_video.data.sources.datasets import FIELDS_FILE
from scenic_video.data.sources.manifest import write_manifest
from scenic_video.errors import UserError
from scenic_video.json_hash import json_hash

SETTINGS_FILE = "transcoded.json"


@dataclasses.dataclass(frozen=True)
class Copy:
    """The result: `failed` videos are left out of the copy, `num_kept` existed before."""

    num_written: int
    num_kept: int
    failed: Sequence[Result]


def transcode_dataset(
    dataset: Dataset,
    directory: Path,
    *,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Copy:
    """Writes directory/<split>/<id>.mp4 for every example, and manifests for `open_dataset`.

    An example with a start or an end becomes a file of its own. `options` are those of `transcode`.
    Existing files are kept, so an interrupted call can be repeated. `progress` is called with the
    numbers of finished and of all files. Errors: UserError if the directory contains anything
    else, or if no video of a split can be read.
    """
    directory = directory.expanduser().absolute()
    jobs = {
        split: [_job(example, directory / split) for example in examples]
        for split, examples in dataset.splits.items()
    }
    note = Note(options, source=dataset.fingerprint)
    manifests = [f"{split}.csv" for split in dataset.splits]
    claim(directory, SETTINGS_FILE, note, contents=[*dataset.splits, *manifests])
    all_jobs = list(itertools.chain(*jobs.values()))
    results = []
    for result in transcode_many(all_jobs, num_workers=num_workers, **options):
        results.append(result)
        if progress is not None:
            progress(len(results), len(all_jobs))
    failed = {result.job: result for result in results if result.error}
    copies = {split: _copies(dataset, split, jobs[split], failed) for split in jobs}
    _write_manifests(dataset, copies, directory)
    num_written = sum(result.was_written for result in results)
    return Copy(
        num_written=num_written,
        num_kept=len(results) - num_written - len(failed),
        failed=list(failed.values()),
    )


def _copies(
    dataset: Dataset, split: str, jobs: Sequence[Job], failed: Mapping[Job, Result]
) -> list[Example]:
    """The examples of a split, in their new files."""
    copies = [
        dataclasses.replace(example, video=job.destination, start=0.0, end=None, flow=None)
        for example, job in zip(dataset.splits[split], jobs, strict=True)
        if job not in failed
    ]
    if not copies:
        error = failed[jobs[0]].error
        raise UserError(f"No video of the split {split!r} could be transcoded: {error}")
    return copies


def _job(example: Example, folder: Path) -> Job:
    if isinstance(example.video, bytes):
        raise UserError(
            f"{example.id!r} is in TFDS records, but only files can be transcoded. Transcode the "
            "files that the records were built from, and build them again."
        )
    destination = folder / _file_name(example.id)
    return Job(example.video, str(destination), start=example.start, end=example.end)


def _file_name(example_id: str) -> str:
    """The id if it is a valid file name; else its valid characters and a hash."""
    parts = [part for part in re.sub(r"[^\w./ -]", "_", example_id).split("/") if part.strip(".")]
    name = "/".join(parts)
    is_short = all(len(os.fsencode(part)) <= LONGEST for part in parts)
    if name == example_id and name.endswith(".mp4") and is_short:
        return name
    stem = Path(name or "clip").with_suffix("").as_posix()
    kept = stem if is_short else stem.replace("/", "_")[-LONGEST // 4 :]  # up to four bytes each
    return f"{kept}-{json_hash([example_id])[:8]}.mp4"


def _write_manifests(
    dataset: Dataset, copies: Mapping[str, Sequence[Example]], directory: Path
) -> None:
    """Writes one manifest per split, and the fields with which `open_dataset` reads them."""
    for split, examples in copies.items():
        write_manifest(directory / f"{split}.csv", examples, dataset.labels)
    fields = {
        "splits": {split: f"{split}.csv" for split in copies},
        "classes": {head: list(names) for head, names in dataset.labels.classes.items()},
        "multilabel": dataset.labels.multilabel,
        "flip_safe": dataset.flip_safe,
        "name": dataset.name,
    }
    (directory / FIELDS_FILE).write_text(json.dumps(fields, indent=2) + "\n", "utf-8")
