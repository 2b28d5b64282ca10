"""Computes the statistics of a dataset's spectrograms, by which they are normalised."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.audio import FULL_SCALE
from scenic_video.data.input.batches import eval_batches
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import EvaluationRow
from scenic_video.errors import UserError
from scenic_video.modalities.audio import NAME, Audio
from scenic_video.transforms.spectrograms import log_mel

BATCH_SIZE = 16


def spectrogram_statistics(
    examples: Sequence[Example],
    audio: Audio,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Mean and standard deviation of the spectrograms in the middle of the examples.

    Examples shorter than a window are looped, whatever a run's preprocessing.short_clips is, so
    that padding does not count. Silent windows do not count either: "num_silent" is the number of
    examples that are silent or have no audio, and "num_unreadable" that of unreadable files.
    Errors: UserError if there is no audio at all.
    """
    preprocessing = Preprocessing(num_frames=1, modalities={NAME: audio})
    sums = jax.jit(lambda waveforms: _sums(waveforms, audio))
    totals, num_audible = np.zeros(2), 0
    middles = EvaluationRow(examples, LabelSpace({}), preprocessing)
    with eval_batches(middles, batch_size=BATCH_SIZE) as batches:
        for done, batch in enumerate(batches, start=1):
            audible = batch["inputs"]["has_audio"][:, 0] > 0
            per_example = jax.device_get(sums(batch["inputs"]["waveform"][:, 0]))
            totals += per_example[audible].sum(axis=0, dtype=np.float64)
            num_audible += int(audible.sum())
            progress(min(done * BATCH_SIZE, len(examples)), len(examples))
        num_unreadable = len(batches.bad_files)
    if not num_audible:
        raise UserError(f"None of the {len(examples)} examples has audio.")
    mean, square = totals / (num_audible * audio.num_columns * audio.num_mel_bins)
    return {
        "mean": round(float(mean), 4),
        "std": round(float(np.sqrt(square - mean**2)), 4),
        "num_examples": len(examples),
        "num_silent": len(examples) - num_audible - num_unreadable,
        "num_unreadable": num_unreadable,
        "scale": audio.scale,
    }


def _sums(waveforms: jax.Array, audio: Audio) -> jax.Array:
    """float32 [b, 2]: the sum of each example's spectrogram, and of its squares."""
    values = log_mel(waveforms.astype(jnp.float32) / FULL_SCALE, audio)
    return jnp.stack([values.sum(axis=(1, 2)), jnp.square(values).sum(axis=(1, 2))], axis=1)
