"""The spectrogram that a checkpoint of an audio transformer is for, and its grid of patches."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from einops import rearrange

from scenic_video.errors import UserError
from scenic_video.layers.positions import sinusoidal_positions

MEL_BINS = 128
"""Of all public models."""
AST_COLUMNS, AST_STRIDES = (1024, 128), (10, 12, 14, 16)
"""The columns of the public AST models (AudioSet, Speech Commands), and their strides."""

AUDIOSET = (-4.2677393, 4.5689974)
"""Mean and deviation of AudioSet's spectrograms, by which AST and AudioMAE normalise."""

Pair = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Patches:
    """Patches of `patch` pixels every `stride` pixels of a spectrogram of `size`; each is (time,
    mel bins)."""

    size: Pair
    patch: Pair
    stride: Pair

    @property
    def grid(self) -> Pair:
        """The number of patches along each axis."""
        time, bins = (
            (length - patch) // step + 1
            for length, patch, step in zip(self.size, self.patch, self.stride, strict=True)
        )
        return time, bins

    @property
    def number(self) -> int:
        return self.grid[0] * self.grid[1]


def patches_of_ast(config: Mapping[str, Any], patch: Pair, number: int) -> Patches:
    """Those of a table of `number` positions, as config.json states them, or else those of the
    public model with as many.

    Errors: UserError if there is no such model, or another number.
    """
    if {"max_length", "num_mel_bins"} <= config.keys():
        stride = (config.get("time_stride", 10), config.get("frequency_stride", 10))
        known = [Patches((config["max_length"], config["num_mel_bins"]), patch, stride)]
    else:
        sizes = [((columns, MEL_BINS), (x, x)) for columns in AST_COLUMNS for x in AST_STRIDES]
        known = [Patches(size, patch, stride) for size, stride in sizes]
    for patches in known:
        if patches.number == number:
            return patches
    raise UserError(
        f"The checkpoint has {number} positions, which is not the number of patches "
        + ("that its config.json states." if len(known) == 1 else "of any public AST model; put ")
        + ("" if len(known) == 1 else "its config.json beside it.")
    )


def patches_of_audiomae(patch: Pair, number: int) -> Patches:
    """Those of a table of `number` positions over 128 mel bins. Errors: UserError."""
    bins = MEL_BINS // patch[1]
    if number % bins:
        raise UserError(
            f"The checkpoint has {number} positions, which do not fit a spectrogram of {MEL_BINS} "
            f"mel bins, {bins} patches of {patch[1]}."
        )
    return Patches((number // bins * patch[0], MEL_BINS), patch, patch)


def with_patches_in_order(table: np.ndarray, grid: Pair, *, order: str) -> np.ndarray:
    """A table of positions [1, tokens + patches, d] over `grid` (t, f), with its patches changed by
    the `order` "f t -> t f" or its inverse; class tokens come first."""
    time, bins = grid
    tokens, places = np.split(table[0], [table.shape[1] - time * bins])
    old, new = order.split(" -> ")
    places = rearrange(places, f"({old}) d -> ({new}) d", t=time, f=bins)
    return np.concatenate([tokens, places])[None]


def fixed_positions(grid: Pair, width: int) -> np.ndarray:
    """AudioMAE's table: sines and cosines over time and mel bins, zeros for the class token."""
    return np.pad(sinusoidal_positions(grid, width), ((1, 0), (0, 0)))[None]


def preprocessing_of(metadata: Mapping[str, Any], size: Pair) -> dict[str, Any]:
    """Fields of a `Preprocessing`: one frame, and the audio around it, as Kaldi's spectrogram.

    Mean and deviation are those that the checkpoint states, or else of AudioSet. AST and AudioMAE
    divide by twice the deviation.
    """
    processor = metadata.get("preprocessor_config") or {}
    rate = processor.get("sampling_rate", 16_000)
    mean, std = processor.get("mean", AUDIOSET[0]), 2 * processor.get("std", AUDIOSET[1])
    if not processor.get("do_normalize", True):
        mean, std = 0.0, 1.0
    audio = {
        "seconds": size[0] / 100,
        "sample_rate": rate,
        "num_mel_bins": size[1],
        "window_seconds": 0.025,
        "hop_seconds": 0.01,
        "lowest_frequency": 20.0,
        "highest_frequency": rate / 2,
        "spectrogram": "kaldi",
        "mean": mean,
        "std": std,
    }
    return {"num_frames": 1, "modalities": ("audio",), "audio": audio}
