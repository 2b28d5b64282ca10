"""What the JSON files beside a Hugging Face checkpoint say about its labels and preprocessing."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scenic_video.modalities.names import DEFAULT

Fields = Mapping[str, Any]


def labels_of(config: Fields) -> dict[str, tuple[str, ...]] | None:
    """The class names of a config.json, in the order of the logits; None if it only has the
    placeholders LABEL_0, LABEL_1, ..."""
    names = config.get("id2label")
    if not isinstance(names, Mapping) or not names:
        return None
    ordered = tuple(str(names[key]) for key in sorted(names, key=int))
    if all(re.fullmatch(r"LABEL_\d+", name) for name in ordered):
        return None
    return {"label": ordered}


def preprocessing_of(metadata: Fields, image_size: int | None) -> dict[str, Any]:
    """Fields of a `Preprocessing`, from config.json and preprocessor_config.json."""
    config, processor = metadata.get("config") or {}, metadata.get("preprocessor_config") or {}
    fields: dict[str, Any] = {"num_frames": config.get("num_frames", 1)}
    crop = _side(processor.get("crop_size")) or _side(config.get("image_size")) or image_size
    if crop:
        fields["crop"] = crop
    if resize := _side(processor.get("size")):
        fields["resize"] = resize
    mean, std = processor.get("image_mean"), processor.get("image_std")
    if mean and std:
        fields[DEFAULT[0]] = {"mean": tuple(mean), "std": tuple(std)}
    return fields


def input_sizes(preprocessing: Fields) -> dict[str, tuple[int, ...]]:
    """(frames, rows, columns) of the clips that these fields describe, if they do."""
    frames, crop = preprocessing.get("num_frames"), preprocessing.get("crop")
    return {DEFAULT[0]: (frames, crop, crop)} if frames and crop else {}


def _side(size: Any) -> int | None:
    """The shorter side in pixels of a size, which may be a number, a pair or a mapping."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or size.get("height")
    if isinstance(size, Sequence):
        size = min(size)
    return size if isinstance(size, int) else None
