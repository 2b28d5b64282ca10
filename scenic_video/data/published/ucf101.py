"""UCF101 (Soomro et al. 2012), from its own lists of train and test videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import read_lines, stems, whole_file
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError


def ucf101(
    splits: Mapping[str, str],
    *,
    root: Root,
    classes: str,
    files: Sequence[str] = ("{label}/{name}", "{name}"),
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "ucf101",
) -> Dataset:
    """Videos in {"train": "trainlist01.txt", "test": "testlist01.txt"}.

    Lines are "class/video.avi id" in training lists and "class/video.avi" in test lists; the folder
    is the class. `classes` is classInd.txt, with lines "id class" and ids from 1. The ids in the
    lists are checked against it; ids of the dataset start at 0.
    """
    videos, names = VideoFiles(root), _classes(classes)
    rows = {
        split: [
            _row(f"{path}: {line!r}", line, split, names, videos, files)
            for line in read_lines(path)
        ]
        for split, path in splits.items()
    }
    return assemble_present(
        rows, videos, missing=missing, name=name, classes={"label": names}, flip_safe=flip_safe
    )


def _row(
    place: str,
    line: str,
    split: str,
    classes: Sequence[str],
    videos: VideoFiles,
    files: Sequence[str],
) -> Row:
    path, _, number = line.partition(" ")
    label = Path(path).parent.name
    if label not in classes or (number and number.strip() != str(classes.index(label) + 1)):
        raise UserError(
            f"{place}: wanted 'class/video.avi', or 'class/video.avi id', with a class and its id "
            "of classInd.txt."
        )
    found = videos.find(split, stems(files, label=label, name=Path(path).stem))
    return whole_file(path, found, {"label": (label,)}, place)


def _classes(path: str) -> list[str]:
    """The class names of classInd.txt in the order of their ids, which are 1, 2, 3, ..."""
    names: dict[int, str] = {}
    for line in read_lines(path):
        number, _, label = line.partition(" ")
        if not number.isdigit() or not label.strip():
            raise UserError(f"{path}: wanted 'id class', got {line!r}.")
        names[int(number)] = label.strip()
    if sorted(names) != list(range(1, len(names) + 1)):
        raise UserError(f"{path}: the ids of its {len(names)} classes are not 1 to {len(names)}.")
    return [names[number] for number in sorted(names)]
