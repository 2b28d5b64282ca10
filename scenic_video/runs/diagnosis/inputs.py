"""Whether the inputs of a model look as in its training: values, channels, normalisation."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scenic_video.data.examples import Example
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.modalities.inputs import InputTransform
from scenic_video.modalities.names import DEFAULT
from scenic_video.number_formats import format_value
from scenic_video.runs.diagnosis.finding import Finding
from scenic_video.runs.initialization.state import ORIGINS

NORMALISATIONS = {
    "pixels in [-1, 1]": ((0.5,) * 3, (0.5,) * 3),
    "the mean and std of ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "pixels in [0, 1]": ((0.0,) * 3, (1.0,) * 3),
    "pixels in [0, 255]": ((0.0,) * 3, (1 / 255,) * 3),
}
"""Words -> mean and std of pixels in [0, 1], as public models have them."""


def input_values(preprocessing: Preprocessing, example: Example) -> list[Finding]:
    """A finding for each modality: whether what the model gets of a clip is normalised to numbers
    about 1."""
    arrays = preprocessing.eval_inputs(example)
    batch = {name: x[:1] for name, x in arrays.items()}
    transform = InputTransform(preprocessing.modalities)
    transformed = transform(batch, rng=jax.random.key(0), train=False)
    return [
        _values(name, preprocessing, np.asarray(transformed[name], np.float32))
        for name in preprocessing.modalities
    ]


def _values(name: str, preprocessing: Preprocessing, values: np.ndarray) -> Finding:
    check = f"values of {name}"
    mean, std = float(values.mean()), float(values.std())
    words = (
        f"{format_value(float(values.min()))} to {format_value(float(values.max()))}, mean "
        f"{format_value(mean)}, std {format_value(std)}"
    )
    if not np.isfinite(values).all():
        return Finding(check, f"{words}: not finite", "Look at the clip and the statistics.")
    if abs(mean) <= 4 and 0.02 <= std <= 8:
        return Finding(check, f"{words}: normalised")
    node = preprocessing.to_dict()[name]
    used = ", ".join(f"{key}={node[key]}" for key in ("mean", "std") if key in node)
    return Finding(
        check,
        f"{words}: not normalised to numbers about 1 ({used or 'no statistics'})",
        f"Correct preprocessing.{name}: mean and std of pixels are shares of 255, such as 0.5; "
        "those of audio come from `scenic-video data stats`.",
    )


def differing_source(workdir: Path) -> Finding:
    """How the preprocessing differs from that of the weights that the run started from."""
    check = "preprocessing of the initial weights"
    path = (workdir / ORIGINS).with_suffix(".json")
    if not path.is_file():
        return Finding(check, "the run started from random weights")
    remarks = json.loads(path.read_text())["remarks"]
    differences = [words for words in remarks if " was trained with preprocessing." in words]
    if not differences:
        return Finding(check, "no difference is known")
    return Finding(
        check,
        "; ".join(differences),
        "Set these fields of preprocessing as the weights were trained, unless meant otherwise.",
    )


def has_pixels(task: Any) -> bool:
    """Whether inputs of the task can be changed by `other_channels` and `other_ranges`."""
    transform = getattr(task, "transform", None)
    return isinstance(transform, InputTransform) and DEFAULT[0] in transform.modalities


def other_channels(task: Any) -> Any:
    """The task with the channels of pixels in reverse order."""
    return dataclasses.replace(task, transform=_Reversed(task.transform))


def other_ranges(task: Any) -> Iterator[tuple[str, Any]]:
    """The task with each of the other usual normalisations, and that one in words."""
    modalities = task.transform.modalities
    pixels = modalities[DEFAULT[0]]
    for words, (mean, std) in NORMALISATIONS.items():
        if np.allclose(mean, pixels.mean) and np.allclose(std, pixels.std):
            continue
        changed = dataclasses.replace(pixels, mean=mean, std=std)
        transform = dataclasses.replace(
            task.transform, modalities={**modalities, DEFAULT[0]: changed}
        )
        yield words, dataclasses.replace(task, transform=transform)


@dataclasses.dataclass(frozen=True)
class _Reversed:
    """A transform of inputs whose pixels are BGR."""

    transform: InputTransform

    def __call__(self, inputs: Any, *, rng: jax.Array, train: bool) -> dict[str, Any]:
        pixels = {DEFAULT[0]: inputs[DEFAULT[0]][..., ::-1]}
        return self.transform({**inputs, **pixels}, rng=rng, train=train)
