"""Initialises a VideoPrism from the weights of another, such as the public ones."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from scenic_video.weights.image_models import HEAD, TABLE, by_times, present
from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.starts import Start, has_same_parameters, start_by

POOLER = "attention_pooler/.*"


def start(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> Start:
    """By `from_same_model` if the source has the same parameters, else by `from_videoprism`."""
    same = has_same_parameters(target, source)
    why = "the source has the same parameters" if same else "the source has others"
    fields = {"target": target, "source": source}
    fields |= {"allow_random": allow_random, "allow_unused": allow_unused}
    return start_by(from_same_model if same else from_videoprism, because=why, **fields)


def from_same_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """As `from_videoprism`, with the head."""
    return initialize(
        target=target,
        source=source,
        takes=_takes(target, source),
        allow_random=allow_random,
        allow_unused=allow_unused,
    )


def from_videoprism(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the VideoPrism `target`, initialised from another one, and a report.

    Positions for clips of another size or length are interpolated as in the public code: linearly,
    with the edges of patches aligned, and antialiased. The head is randomly initialised, and the
    pooler if the source has none. Any other mismatch is an error, unless it is declared as in
    `initialize`.
    """
    random = [HEAD] + ([] if present([POOLER], source.flat) else [POOLER])
    unused = [HEAD] + ([] if present([POOLER], target.flat) else [POOLER])
    return initialize(
        target=target,
        source=source,
        takes=_takes(target, source),
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def _takes(target: ModelWeights, source: ModelWeights) -> dict[str, Take]:
    takes = {path: Take(path) for path in target.flat}
    for path in (x for x in target.flat if x.endswith(TABLE) and x in source.flat):
        takes[path] = _take_positions(path, _grid(path, source), _grid(path, target))
    return takes


def _grid(path: str, weights: ModelWeights) -> tuple[int, ...]:
    """The places of a frame, or the times."""
    places = weights.flat[path].shape[1]
    grid = weights.token_grid("rgb") if path.startswith("Spatial") else None
    return (places,) if grid is None else grid[-2:]


def _take_positions(path: str, old: tuple[int, ...], new: tuple[int, ...]) -> Take:
    if old == new:
        return Take(path)

    def interpolate(table: np.ndarray) -> jax.Array:
        width = table.shape[-1]
        return jax.image.resize(table.reshape(*old, width), (*new, width), "linear").reshape(
            1, -1, width
        )

    return Take(path, interpolate, f"interpolate {by_times(old)} to {by_times(new)}")
