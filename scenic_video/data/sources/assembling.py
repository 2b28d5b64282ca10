"""Builds a `Dataset` from rows of paths and class names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.config import check_arguments
from scenic_video.data.examples import Dataset
from scenic_video.data.sources.fingerprint import fingerprint
from scenic_video.data.sources.labels import Names, label_space, to_examples
from scenic_video.data.sources.manifest import Row, refuse_duplicates
from scenic_video.data.sources.statistics import read_statistics
from scenic_video.data.sources.video_files import Missing, VideoFiles, present
from scenic_video.errors import UserError
from scenic_video.printable import printable


def assemble(
    rows: Mapping[str, Sequence[Row]],
    *,
    name: str,
    folder: Path,
    classes: Mapping[str, Names] | Names | None = None,
    multilabel: bool = False,
    flip_safe: bool = True,
    remarks: Sequence[str] = (),
) -> Dataset:
    """The dataset of rows by split; `folder` is where `scenic-video data stats` writes its file."""
    labels = label_space(rows, classes=classes, multilabel=multilabel)
    examples = to_examples(rows, labels)
    return Dataset(
        name=printable(name),
        splits=examples,
        labels=labels,
        fingerprint=fingerprint(examples, labels),
        flip_safe=flip_safe,
        statistics=read_statistics(folder),
        folder=str(folder),
        remarks=tuple(remarks),
    )


@check_arguments
def assemble_present(
    rows: Mapping[str, Sequence[Row]],
    files: VideoFiles,
    *,
    missing: Missing,
    name: str,
    classes: Mapping[str, Names] | Names | None = None,
    multilabel: bool = False,
    flip_safe: bool = True,
) -> Dataset:
    """The dataset of the rows whose files exist (see `present`).

    The number of rows that are left out becomes part of its name and fingerprint. Without
    `classes`, the classes are those of all rows, so that a missing file never changes class ids.
    """
    for split, all_rows in rows.items():
        if not all_rows:
            raise UserError(f"The split {split!r} of {name} has no examples.")
        refuse_duplicates(all_rows, column="id")
    every = label_space(rows, classes=classes, multilabel=multilabel)
    kept, remarks = present(rows, files, missing=missing)
    first = next(iter(kept))
    num_left_out = sum(map(len, rows.values())) - sum(map(len, kept.values()))
    return assemble(
        kept,
        name=f"{name}_without_{num_left_out}" if num_left_out else name,
        folder=files.root(first),
        classes=every.classes,
        multilabel=multilabel,
        flip_safe=flip_safe,
        remarks=remarks,
    )
