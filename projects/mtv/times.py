"""How views of different lengths are brought to common times.

A view of `t` frames (of tubelets) is folded into the `s` steps of the shortest view, so that the
t / s frames within one step form one sequence.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from einops import rearrange, repeat
from jaxtyping import Array, Float

REPETITIONS = ("tile", "repeat")


def common_steps(lengths: Sequence[int], *, repeated: bool) -> int:
    """The steps that views of these lengths are folded into.

    A ValueError unless the shortest divides all others and, where views are `repeated` to the
    longest, all divide that one.
    """
    shortest, longest = min(lengths), max(lengths)
    if any(length % shortest or (repeated and longest % length) for length in lengths):
        raise ValueError(
            f"The views have {', '.join(map(str, lengths))} tubelets along time; the shortest must "
            "divide all others, and with merge='channel' each the longest. "
            "Change num_frames or the views' tubelets."
        )
    return shortest


def fold(frames: Float[Array, "b t n d"], steps: int) -> Float[Array, "b s m d"]:
    """The frames of each of `steps` steps as one sequence."""
    return rearrange(frames, "b (s r) n d -> b s (r n) d", s=steps)


def unfold(sequences: Float[Array, "b s m d"], length: int) -> Float[Array, "b t n d"]:
    """The `length` frames that were folded."""
    frames_per_step = length // sequences.shape[1]
    return rearrange(sequences, "b s (r n) d -> b (s r) n d", r=frames_per_step)


def beside(
    views: Sequence[Float[Array, "b _ _"]], repetition: str
) -> Float[Array, "b longest sum_of_d"]:
    """Vectors of the views' frames on one time axis, concatenated on channels.

    Shorter views are repeated to the longest: "tile" as a whole (0 1 0 1), "repeat" frame by
    frame (0 0 1 1), which keeps times together.
    """
    longest = max(view.shape[1] for view in views)
    pattern = {"tile": "b t d -> b (r t) d", "repeat": "b t d -> b (t r) d"}[repetition]
    same = [repeat(view, pattern, r=longest // view.shape[1]) for view in views]
    return jnp.concatenate(same, axis=-1)
