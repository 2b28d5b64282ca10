"""The labels of synthetic clips and of their single frames, and the manifests that list them."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scenic_video.atomic_files import replacing
from scenic_video.config import near
from scenic_video.data.sources.manifest import Heads, columns_of
from scenic_video.data.synthetic.scenes import (
    ACTIONS,
    AUDIO_CLASSES,
    MOTIONS,
    SHAPES,
    Scene,
    poses,
)
from scenic_video.data.synthetic_settings import SPLITS, Settings
from scenic_video.errors import UserError

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
SIZES = ("small", "medium", "large")
BRIGHTNESS = ("plain", "bright")
THIRD = 0.12
"""Distance from the centre, in sides of a frame, at which the outer rows and columns begin."""
RADII = (0.16, 0.23)
BRIGHT = 0.4

OF_CLIPS = {
    "action": ACTIONS,
    "shape": SHAPES,
    "audio": AUDIO_CLASSES,
    "event": tuple(f"{motion}+{audio}" for motion in MOTIONS for audio in AUDIO_CLASSES),
}
OF_FRAMES = {
    "place": tuple(f"{row}_{column}" for row in ROWS for column in COLUMNS),
    "size": SIZES,
    "brightness": BRIGHTNESS,
}
SEVERAL = {"shapes": SHAPES}
"""The labels of which a clip may have several."""
FOLDERS = {"": OF_CLIPS, "shapes": SEVERAL, "frames": OF_FRAMES}
"""Folder of the manifests -> the labels in their columns."""
CLASSES = {label: names for labels in FOLDERS.values() for label, names in labels.items()}
"""Label -> class names in the order of class ids."""


def columns_of_heads(heads: Heads) -> dict[str, str]:
    """Head -> name in `CLASSES`. Errors: UserError if there are no such labels, or if they are not
    in one manifest."""
    columns = columns_of(heads)
    for column in columns.values():
        if column not in CLASSES:
            raise UserError(
                f"Synthetic clips have no label {column!r}, only {', '.join(CLASSES)}"
                f"{near(column, list(CLASSES))}"
            )
    if len({_folder(column) for column in columns.values()}) > 1:
        groups = "; ".join(", ".join(labels) for labels in FOLDERS.values())
        raise UserError(
            f"The labels {', '.join(columns.values())} cannot be combined: a dataset has those of "
            f"one of these groups: {groups}."
        )
    return dict(columns)


def is_multilabel(columns: Mapping[str, str]) -> bool:
    """Whether examples may have several of these labels."""
    return not SEVERAL.keys().isdisjoint(columns.values())


def examples_per_clip(columns: Mapping[str, str], settings: Settings) -> int:
    """One, or the number of frames for labels of frames."""
    return 1 if OF_FRAMES.keys().isdisjoint(columns.values()) else settings.num_frames


def manifests_of(directory: Path, columns: Mapping[str, str]) -> dict[str, Path]:
    """Split -> the manifest with these columns."""
    folder = directory / _folder(next(iter(columns.values())))
    return {split: folder / f"{split}.csv" for split in SPLITS}


def manifests_exist(directory: Path, split: str) -> bool:
    return all((directory / folder / f"{split}.csv").exists() for folder in FOLDERS)


def write_manifests(
    directory: Path, settings: Settings, split: str, scenes: Mapping[str, Scene]
) -> None:
    """Writes the manifests of a split, of scenes by the path of their clip in `directory`."""
    tables = {
        "": [{"path": path, **_of_clip(scene)} for path, scene in scenes.items()],
        "frames": [
            {"path": f"../{path}", "start": start, "end": end, **labels}
            for path, scene in scenes.items()
            for start, end, labels in _of_frames(scene, settings.frame_rate)
        ],
        "shapes": [
            {"path": f"../{path}", "id": path, "shapes": _shapes(scene)}
            for path, scene in scenes.items()
        ],
    }
    for folder, rows in tables.items():
        (directory / folder).mkdir(exist_ok=True)
        _write_table(directory / folder / f"{split}.csv", rows)


def _folder(column: str) -> str:
    return next(folder for folder, labels in FOLDERS.items() if column in labels)


def _of_clip(scene: Scene) -> dict[str, str]:
    audio = AUDIO_CLASSES[scene.audio]
    return {
        "action": ACTIONS[scene.action],
        "shape": SHAPES[scene.actor.shape],
        "audio": audio,
        "event": f"{MOTIONS[scene.action // 2]}+{audio}",
    }


def _of_frames(scene: Scene, frame_rate: int) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Start and end in seconds of each frame, and where the object is in it, and how it looks."""
    pose = poses(scene)
    for i, (x, y) in enumerate(zip(pose.x, pose.y, strict=True)):
        size = sum(pose.radius[i] > radius for radius in RADII)
        labels = {
            "place": f"{ROWS[_third(y)]}_{COLUMNS[_third(x)]}",
            "size": SIZES[size],
            "brightness": BRIGHTNESS[int(pose.brightness[i] > BRIGHT)],
        }
        yield f"{i / frame_rate:.4f}", f"{(i + 1) / frame_rate:.4f}", labels


def _third(position: float) -> int:
    return int(position > -THIRD) + int(position > THIRD)


def _shapes(scene: Scene) -> str:
    return "|".join(SHAPES[shape] for shape in scene.shapes)


def _write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with replacing(path) as scratch, scratch.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
