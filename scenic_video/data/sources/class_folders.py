"""Datasets of folders: directory/<split>/<class>/<video> or directory/<class>/<video>."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from scenic_video.config import check_arguments
from scenic_video.data.examples import Dataset
from scenic_video.data.flow.reading import SUFFIX as FLOW_SUFFIX
from scenic_video.data.sources.assembling import assemble
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.left_out import LeftOut
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import lists_in
from scenic_video.data.sources.video_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from scenic_video.errors import UserError
from scenic_video.field_types import ShareBelowOne
from scenic_video.printable import printable

SPLIT_NAMES = ("train", "validation", "validate", "val", "test")
"""If a folder with such a name, in any case, contains folders, all folders beside it are splits."""
SPELLINGS = {"training": "train", "testing": "test"}
"""Other names of splits."""


@check_arguments
def class_folders(
    directory: str,
    *,
    head: str = "label",
    test_fraction: ShareBelowOne = 0.2,
    classes: Names | None = None,
    flip_safe: bool = True,
    suffixes: Sequence[str] | None = None,
    name: str | None = None,
) -> Dataset:
    """The dataset of a folder of folders: directory/<split>/<class>/<video>.

    If no folder is named after a split and contains folders, the layout is
    directory/<class>/<video>, and about `test_fraction` of the videos, at least one, form the split
    "test". A hash of the id of a video decides, so the choice does not change when videos are
    added. Images are videos of one frame. Hidden files, files in deeper folders and files with
    suffixes other than `suffixes` (by default, those of videos and images) are skipped and listed
    in `Dataset.remarks`. If there are both videos and images, `suffixes` must select one kind,
    since images beside videos are often previews.
    """
    top = Path(directory).expanduser()
    if not top.is_dir():
        raise UserError(f"There is no folder {directory}.")
    wanted = tuple(suffixes or VIDEO_SUFFIXES + IMAGE_SUFFIXES)
    left_out = LeftOut(top, wanted)
    folders = _by_split(top, left_out)
    assumed = _assumed(folders, top)
    if folders:
        rows = {split: _rows(folder, head, left_out) for split, folder in folders.items()}
    else:
        rows, remarks = _hold_out(_rows(top, head, left_out), test_fraction)
        assumed += remarks
    for split, found in rows.items():
        if not found:
            raise UserError(_no_examples(split, top, wanted, [*left_out.remarks(), *assumed]))
    if suffixes is None:
        _refuse_mixture(directory, [row.path for found in rows.values() for row in found])
    return assemble(
        rows,
        name=name or top.resolve().name,
        classes=classes,
        flip_safe=flip_safe,
        folder=top,
        remarks=[*assumed, *left_out.remarks(), *filter(None, [lists_in(top)])],
    )


def usual_order(split: str) -> tuple[int, str]:
    """A key that sorts splits: training first, then validation and test, then all others."""
    known = split in SPLIT_NAMES
    return SPLIT_NAMES.index(split) if known else len(SPLIT_NAMES), split


def _by_split(top: Path, left_out: LeftOut) -> dict[str, Path]:
    """The folders that are splits, in the usual order; empty if folders are classes."""
    folders = _folders(top)
    if not any(_is_split(folder, left_out) for folder in folders):
        return {}
    for path in top.iterdir():
        left_out.loose(path)
    found: dict[str, Path] = {}
    for folder in folders:
        split = _split_name(folder)
        if split in found:
            raise UserError(
                f"{top}: the folders {found[split].name!r} and {folder.name!r} are both the split "
                f"{split!r}. Put them together, or rename one."
            )
        found[split] = folder
    return {split: found[split] for split in sorted(found, key=usual_order)}


def _is_split(folder: Path, left_out: LeftOut) -> bool:
    """Whether it has the name of a split and is not a class of that name, which contains videos."""
    if _split_name(folder) not in SPLIT_NAMES:
        return False
    return bool(_folders(folder)) or not any(map(left_out.is_wanted, folder.iterdir()))


def _split_name(folder: Path) -> str:
    name = folder.name.lower()
    name = SPELLINGS.get(name, name)
    return name if name in SPLIT_NAMES else printable(folder.name)


def _assumed(splits: dict[str, Path], top: Path) -> list[str]:
    """How ambiguous names of folders were interpreted."""
    if splits:
        return [
            f"the folder {folder.name!r} is the split {split!r}"
            for split, folder in splits.items()
            if split in SPLIT_NAMES and folder.name != split
        ]
    alike = [folder.name for folder in _folders(top) if _split_name(folder) in SPLIT_NAMES]
    return [f"the folder {name!r} contains videos, so it is a class" for name in alike]


def _folders(directory: Path) -> list[Path]:
    return sorted(
        path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _rows(directory: Path, head: str, left_out: LeftOut) -> list[Row]:
    """A row for every directory/<class>/<video>, sorted by class and name."""
    rows = []
    for path in sorted(directory.iterdir()):
        if not path.is_dir():
            left_out.loose(path)
        elif not path.name.startswith("."):
            found = _class_rows(path, head, left_out)
            rows += found
            if not found:
                left_out.empty(path)
    return rows


def _class_rows(folder: Path, head: str, left_out: LeftOut) -> list[Row]:
    with os.scandir(folder) as entries:  # also states which are folders, without a call for each
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    rows = []
    for name, is_folder in found:
        video = folder / name
        if is_folder or name.startswith(".") or not left_out.is_wanted(video):
            left_out.in_class(video, is_folder=is_folder)
        elif not name.endswith(FLOW_SUFFIX):
            rows.append(_row(video, head))
    return rows


def _row(video: Path, head: str) -> Row:
    folder = video.parent
    return Row(
        id=printable(video.relative_to(folder.parent).as_posix()),
        path=str(video),
        start=0.0,
        end=None,
        labels={head: (printable(folder.name),)},
        place=printable(str(video)),
    )


def _hold_out(rows: Sequence[Row], test_fraction: float) -> tuple[dict[str, list[Row]], list[str]]:
    """The rows as the splits train and test, and a remark if one of them would be empty."""
    if not test_fraction:
        return {"train": list(rows)}, []
    if len(rows) == 1:
        raise UserError(
            f"{rows[0].place} is the only video, but both train and test need one. Add videos, or "
            "set test_fraction=0."
        )
    numbers = {row.id: _uniform(row) for row in rows}
    splits: dict[str, list[Row]] = {"train": [], "test": []}
    for row in rows:
        splits["test" if numbers[row.id] < test_fraction else "train"].append(row)
    for split, other in (("test", "train"), ("train", "test")):
        if not splits[split] and len(rows) > 1:
            pick = min if split == "test" else max
            only = pick(rows, key=lambda row: numbers[row.id])
            splits[split], splits[other] = [only], [row for row in rows if row is not only]
            remark = f"none of {len(rows)} videos was selected for {split!r}, so {only.id} is used"
            return splits, [f"{remark} (test_fraction={test_fraction})"]
    return splits, []


def _uniform(row: Row) -> float:
    """A number that is uniform in [0, 1) over ids, and always the same for an id."""
    return int.from_bytes(hashlib.sha256(row.id.encode()).digest()[:8]) / 2**64


def _no_examples(split: str, top: Path, wanted: Sequence[str], remarks: Sequence[str]) -> str:
    lists = lists_in(top)
    if lists and not _folders(top):
        return f"{printable(str(top))} contains neither manifests nor class folders. {lists}"
    found = "".join(f"\n  {remark}" for remark in (*remarks, lists) if remark)
    return (
        f"The split {split!r} of {printable(str(top))} has no examples: wanted "
        f"<class>/<video> with one of the suffixes {' '.join(wanted)}, or <split>/<class>/<video> "
        f"with split folders called {', '.join(SPLIT_NAMES)}.{found}"
    )


def _refuse_mixture(directory: str, paths: Sequence[str]) -> None:
    """Errors: UserError if there are both images and videos."""
    num_images = sum(path.lower().endswith(IMAGE_SUFFIXES) for path in paths)
    if 0 < num_images < len(paths):
        raise UserError(
            f"{directory} contains {len(paths) - num_images} videos and {num_images} images. "
            f"Select one kind with `suffixes`, as in suffixes={VIDEO_SUFFIXES[:1]}."
        )
