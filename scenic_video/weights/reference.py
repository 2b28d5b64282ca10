"""Compares a public checkpoint with the logits that its publisher, or others, state for a clip."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from scenic_video.config import build
from scenic_video.errors import UserError
from scenic_video.modalities.names import BUILT_IN, DEFAULT
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights
from scenic_video.weights.locations.cache import Progress
from scenic_video.weights.locations.reading import fetch
from scenic_video.weights.registry.public_checkpoint import PublicCheckpoint, Reference

SUFFIX = ".npy"
"""Inputs that can be read are arrays of NumPy, uint8 [t, h, w, 3]."""


@dataclasses.dataclass(frozen=True)
class ReferenceCheck:
    """The first logits of a model, and those that are stated for the same clip."""

    reference: Reference
    found: tuple[float, ...]

    @property
    def largest(self) -> float:
        """The largest absolute difference."""
        return float(np.abs(np.subtract(self.found, self.reference.logits)).max())

    def rows(self) -> list[tuple[Any, ...]]:
        """(class, stated, found)."""
        pairs = zip(self.reference.logits, self.found, strict=True)
        return [(str(i), stated, found) for i, (stated, found) in enumerate(pairs)]


def check_reference(
    checkpoint: PublicCheckpoint,
    weights: Weights,
    *,
    frames: str | Path | None = None,
    progress: Progress | None = None,
) -> ReferenceCheck:
    """The logits of `weights`, those of this public checkpoint, for its reference clip.

    `frames` is another place of the clip than the one in the registry. Errors: UserError if there
    is no reference, or no clip.
    """
    reference = checkpoint.reference
    if reference is None:
        raise UserError(
            f"No reference logits of {checkpoint.name} are known. Give a second checkpoint to "
            "compare it with."
        )
    if frames is None and not reference.input.endswith(SUFFIX):
        raise UserError(
            f"The reference logits of {checkpoint.name} are for this input: {reference.input}. "
            f"Make it, and give it by --frames=FILE{SUFFIX}."
        )
    clip = read_frames(fetch(str(frames or reference.input), progress))
    logits = build_model(weights, name=checkpoint.name)(_inputs(clip, checkpoint))[0]
    return ReferenceCheck(reference, tuple(map(float, logits[: len(reference.logits)])))


def read_frames(path: Path) -> UInt8[np.ndarray, "t h w 3"]:
    """Errors: UserError unless it is an array of RGB frames."""
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as an array of NumPy ({error}).") from error
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.shape[3:] != (3,):
        shape = getattr(frames, "shape", ())
        raise UserError(f"{path} must be uint8 [frames, rows, columns, 3]; it is {list(shape)}.")
    return frames


def _inputs(clip: UInt8[np.ndarray, "t h w 3"], checkpoint: PublicCheckpoint) -> dict[str, Any]:
    fields = checkpoint.preprocessing or {}
    (name,) = DEFAULT
    pixels = build({"target": BUILT_IN[name], **fields.get(name, {})})
    crop = fields["crop"]
    frames = central(shorter_side(clip, fields.get("resize", crop)), crop)
    values = pixels.on_device({name: frames[None]}, lambda x, **_: x)
    return {name: np.asarray(values)}


def shorter_side(clip: UInt8[np.ndarray, "t h w 3"], size: int) -> UInt8[np.ndarray, "t a b 3"]:
    """Frames whose shorter side has `size` pixels, with the antialiased bilinear filter of Pillow,
    which Hugging Face's processors use."""
    from PIL import Image

    rows, columns = clip.shape[1:3]
    short = min(rows, columns)
    new = (size * columns // short, size * rows // short)
    if new == (columns, rows):
        return clip
    filter = Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(frame).resize(new, filter)) for frame in clip])


def central(clip: UInt8[np.ndarray, "t h w 3"], size: int) -> UInt8[np.ndarray, "t a a 3"]:
    """The square of `size` pixels in the centre of each frame."""
    top, left = ((n - size) // 2 for n in clip.shape[1:3])
    return clip[:, top : top + size, left : left + size]
