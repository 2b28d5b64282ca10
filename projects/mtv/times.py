"""Aligns views of different lengths in time.

A view of `t` frames (of tubelets) is folded into the `s` steps of the shortest view, so that the
t / s frames within one step form one sequence.
"""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
from einops import rearrange, repeat
from jaxtyping import Array, Float

from projects.mtv.views import View
from scenic_video.errors import UserError
from scenic_video.layers.embeddings import check_clip

Repetition = Literal["tile", "repeat"]
USUAL_HOP = 0.01
"""Seconds from one time frame of a spectrogram to the next, where no audio.hop_seconds is set."""


def common_steps(lengths: Sequence[int], *, repeated: bool, views: Sequence[View] = ()) -> int:
    """The steps that views of these lengths are folded into.

    Errors: UserError unless the shortest divides all others and, if views are `repeated` to the
    longest, all divide that one. With `views`, it advises on the length of audio.
    """
    shortest, longest = min(lengths), max(lengths)
    if any(length % shortest or (repeated and longest % length) for length in lengths):
        raise UserError(
            f"The views have {', '.join(map(str, lengths))} tubelets along time; the shortest must "
            "divide all others, and with merge='channel' each the longest. "
            f"Change num_frames or the views' tubelets{_audio_advice(lengths, views)}."
        )
    return shortest


def check_input(view: View, shape: Sequence[int]) -> None:
    """Errors: UserError unless the time axis of `shape`, [b, t, h, w, c] or for audio [b, t, f,
    1], divides into the tubelets of the view."""
    if not view.is_audio:
        check_clip(shape, view.tubelet_size, change="num_frames or the views")
        return
    if len(shape) != 4:
        raise UserError(
            "A view of audio takes spectrograms [batch, time frames, mel bins, 1]; got an input of "
            f"shape {tuple(shape)}."
        )
    length, time = shape[1], view.tubelet_size[0]
    if length % time:
        fitting = max(length // time, 1) * time
        raise UserError(
            f"A spectrogram of {length} time frames cannot be cut into patches of {time}. Change "
            f"the views or the length of audio, for instance to {_time_frames(fitting)}."
        )


def fold(frames: Float[Array, "b t n d"], steps: int) -> Float[Array, "b s m d"]:
    """The frames of each of `steps` steps as one sequence."""
    return rearrange(frames, "b (s r) n d -> b s (r n) d", s=steps)


def unfold(sequences: Float[Array, "b s m d"], length: int) -> Float[Array, "b t n d"]:
    """The inverse of `fold`, for `length` frames."""
    frames_per_step = length // sequences.shape[1]
    return rearrange(sequences, "b s (r n) d -> b (s r) n d", r=frames_per_step)


def beside(
    views: Sequence[Float[Array, "b _ _"]], repetition: str
) -> Float[Array, "b longest sum_of_d"]:
    """Vectors of the views' frames on one time axis, concatenated on channels.

    Shorter views are repeated to the longest: "tile" as a whole (0 1 0 1), "repeat" frame by
    frame (0 0 1 1), which aligns them in time.
    """
    longest = max(view.shape[1] for view in views)
    pattern = {"tile": "b t d -> b (r t) d", "repeat": "b t d -> b (t r) d"}[repetition]
    same = [repeat(view, pattern, r=longest // view.shape[1]) for view in views]
    return jnp.concatenate(same, axis=-1)


def _audio_advice(lengths: Sequence[int], views: Sequence[View]) -> str:
    """The length of audio that matches the longest view of frames."""
    times = [n for n, view in zip(lengths, views, strict=False) if not view.is_audio]
    patches = {view.tubelet_size[0] for view in views if view.is_audio}
    if not times or not patches:
        return ""
    return (
        f", or the length of audio: {_time_frames(max(times) * max(patches))} are {max(times)} "
        f"times in patches of {max(patches)}"
    )


def _time_frames(number: int) -> str:
    """As in "256 time frames (audio.seconds=2.56 at a hop of 10 ms)"."""
    seconds, hop = number * USUAL_HOP, 1000 * USUAL_HOP
    return f"{number} time frames (audio.seconds={seconds:g} at a hop of {hop:g} ms)"
