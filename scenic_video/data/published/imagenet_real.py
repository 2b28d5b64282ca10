"""The validation set of ImageNet with reassessed labels (Beyer et al. 2020, "ReaL")."""

from collections.abc import Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import stems, whole_file
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import read_json
from scenic_video.data.sources.video_files import IMAGE_SUFFIXES, Missing, VideoFiles

NUM_CLASSES = 1000


def imagenet_real(
    labels: str,
    *,
    root: str,
    files: Sequence[str] = ("ILSVRC2012_val_{number:08d}",),
    classes: Names | None = None,
    split: str = "validation",
    missing: Missing = "raise",
    name: str = "imagenet_real",
) -> Dataset:
    """Images in real.json, a list of class ids for each image, in the order of their numbers.

    Any of the ids counts as correct, as for any single-label model that is evaluated on multi-label
    data. Images without a label are left out, as in the paper. `root` holds the images, in one
    folder or one per class. `classes` must be the names that the model was trained on, or the
    folder of its training classes, whose names are sorted; None names classes by their numbers.
    """
    images = VideoFiles(root, suffixes=IMAGE_SUFFIXES)
    folders = ["", *_folders(Path(root).expanduser())]
    rows = []
    for number, ids in enumerate(read_json(labels, list), start=1):
        if ids:
            names = [str(Path(f) / stem) for f in folders for stem in stems(files, number=number)]
            rows.append(_row(images.find(split, names), number, ids))
    return assemble_present(
        {split: rows},
        images,
        missing=missing,
        name=name,
        classes=_class_names(classes),
        multilabel=True,
    )


def _row(path: str, number: int, ids: Sequence[int]) -> Row:
    labels = {"label": tuple(str(int(id)) for id in ids)}
    return whole_file(f"ILSVRC2012_val_{number:08d}", path, labels, f"real.json, entry {number}")


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _class_names(classes: Names | None) -> Names:
    if classes is None:
        return [str(index) for index in range(NUM_CLASSES)]
    if isinstance(classes, str) and Path(classes).expanduser().is_dir():
        return _folders(Path(classes).expanduser())
    return classes
