"""Something-Something v2 (Goyal et al. 2017)."""

from collections.abc import Mapping, Sequence
from typing import Any

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import stems, whole_file
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import read_json
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError


def something_something(
    splits: Mapping[str, str],
    *,
    labels: str,
    root: Root,
    files: Sequence[str] = ("{id}",),
    missing: Missing = "raise",
    name: str = "something_something_v2",
) -> Dataset:
    """Clips in the JSON files of the data set, {"train": "train.json", "test": "validation.json"}.

    `labels` is labels.json, {class: id}. An entry's class is its template without the brackets,
    "Holding [something]" -> "Holding something". A flipped clip may have another label ("from left
    to right"), so flip_safe is False.
    """
    ids = read_json(labels, dict)
    classes = sorted(ids, key=lambda label: int(ids[label]))
    if [int(ids[label]) for label in classes] != list(range(len(classes))):
        raise UserError(f"{labels}: the ids of its {len(classes)} classes are not 0, 1, 2, ...")
    videos = VideoFiles(root)

    def row(split: str, place: str, entry: Mapping[str, Any]) -> Row:
        if "id" not in entry or "template" not in entry:
            raise UserError(f"{place} has no 'id' or no 'template', only {', '.join(entry)}.")
        path = videos.find(split, stems(files, id=entry["id"]))
        label = entry["template"].replace("[", "").replace("]", "")
        return whole_file(str(entry["id"]), path, {"label": (label,)}, place)

    rows = {
        split: [
            row(split, f"{path}, entry {number}", entry)
            for number, entry in enumerate(read_json(path, list))
        ]
        for split, path in splits.items()
    }
    return assemble_present(
        rows, videos, missing=missing, name=name, classes={"label": classes}, flip_safe=False
    )
