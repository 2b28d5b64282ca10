"""AViD (Piergiovanni and Ryoo 2020): anonymized videos from diverse countries."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import stems, whole_file
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import read_json
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError


def avid(
    splits: Mapping[str, str],
    *,
    root: Root,
    files: Sequence[str] = ("{file}",),
    classes: Names | None = None,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "avid",
) -> Dataset:
    """Videos in avid_train.json and avid_val.json, each {"yrpxojhg.mp4": "playing harmonica", ...}.

    Classes are the sorted labels of all splits, including "none", unless `classes` gives them.
    """
    videos = VideoFiles(root)

    def row(split: str, path: str, file: str, label: object) -> Row:
        if not isinstance(label, str):
            raise UserError(f"{path}: the label of {file!r} is {label!r}, not a class name.")
        found = videos.find(split, stems(files, file=str(Path(file).with_suffix(""))))
        return whole_file(file, found, {"label": (label,)}, f"{path}, {file!r}")

    rows = {
        split: [row(split, path, file, label) for file, label in read_json(path, dict).items()]
        for split, path in splits.items()
    }
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )
