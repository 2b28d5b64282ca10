"""HMDB51 (Kuehne et al. 2011), from its own lists, one per class and fold."""

from collections.abc import Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import read_lines, stems, whole_file
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError
from scenic_video.field_types import PositiveInt

SPLITS = {"0": None, "1": "train", "2": "test"}
"""The meaning of the number after a video; 0 is for unused videos."""


def hmdb51(
    annotations: str,
    *,
    root: Root,
    fold: PositiveInt = 1,
    files: Sequence[str] = ("{label}/{name}", "{name}"),
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "hmdb51",
) -> Dataset:
    """Videos in the lists <class>_test_split<fold>.txt in the folder `annotations`.

    Lines are "video.avi 1" for training, 2 for testing, and 0 for neither. Classes are sorted by
    name.
    """
    folder, ending = Path(annotations).expanduser(), f"_test_split{fold}.txt"
    lists = sorted(folder.glob(f"*{ending}"))
    if not lists:
        raise UserError(f"{folder} has no lists of fold {fold}; they are called <class>{ending}.")
    videos = VideoFiles(root)
    rows: dict[str, list[Row]] = {"train": [], "test": []}
    for path in lists:
        label = path.name.removesuffix(ending)
        for line in read_lines(path):
            video, split = _video_and_split(path, line)
            if split is not None:
                found = videos.find(split, stems(files, label=label, name=Path(video).stem))
                row = whole_file(f"{label}/{video}", found, {"label": (label,)}, f"{path}: {line}")
                rows[split].append(row)
    classes = {"label": [path.name.removesuffix(ending) for path in lists]}
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )


def _video_and_split(path: Path, line: str) -> tuple[str, str | None]:
    video, _, number = line.rpartition(" ")
    if not video.strip() or number not in SPLITS:
        raise UserError(f"{path}: wanted 'video.avi' and 0, 1 or 2, got {line!r}.")
    return video.strip(), SPLITS[number]
