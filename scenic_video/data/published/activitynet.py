"""ActivityNet 1.3 (Caba Heilbron et al. 2015): segments of untrimmed videos."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import stems
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import read_json
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError


def activitynet(
    annotations: str,
    *,
    root: Root,
    splits: Mapping[str, str] | None = None,
    files: Sequence[str] = ("v_{id}", "{id}"),
    classes: Names | None = None,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "activitynet",
) -> Dataset:
    """Segments in activity_net.v1-3.min.json: {"database": {id: {"subset", "annotations"}}}.

    More than seven parameters: they are the fields of a `dataset` node, whose schema this is.

    An example is one annotated segment. `splits` maps splits to subsets, by default
    {"train": "training", "validation": "validation"}; the subset "testing" has no annotations.
    """
    database = read_json(annotations, dict).get("database")
    if not isinstance(database, dict):
        raise UserError(f"{annotations} has no 'database' with an entry per video.")
    videos = VideoFiles(root)
    subsets = splits or {"train": "training", "validation": "validation"}
    rows = {
        split: [
            row
            for id, video in database.items()
            if video.get("subset") == subset
            for row in _segments(id, video, split, videos, files)
        ]
        for split, subset in subsets.items()
    }
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )


def _segments(
    id: str, video: Mapping[str, Any], split: str, videos: VideoFiles, files: Sequence[str]
) -> Iterator[Row]:
    for number, annotation in enumerate(video.get("annotations", ())):
        start, end = map(float, annotation["segment"])
        yield Row(
            id=f"{id}#{number}",
            path=videos.find(split, stems(files, id=id)),
            start=start,
            end=end,
            labels={"label": (annotation["label"],)},
            place=f"the video {id!r}, segment {number}",
        )
