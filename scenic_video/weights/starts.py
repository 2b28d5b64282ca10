"""Which function initialises a model, if the config names none: a choice by the kind of the source,
which the report states."""

import dataclasses
from collections.abc import Callable
from typing import Any

from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights

Start = tuple[dict[str, Any], LoadReport]


def start_by(function: Callable[..., Start], *, because: str, **fields: Any) -> Start:
    """What `function` gives for `fields`, with the choice in its report: "as the source is ..."."""
    params, report = function(**fields)
    name = f"{function.__module__}:{function.__name__}"
    return params, dataclasses.replace(report, chosen=f"init.target: {name}, as {because}")


def has_same_parameters(target: ModelWeights, source: ModelWeights) -> bool:
    """Whether the two have the same paths, and arrays of as many axes, of whatever sizes."""
    axes = {path: len(leaf.shape) for path, leaf in source.flat.items()}
    return axes == {path: len(leaf.shape) for path, leaf in target.flat.items()}
