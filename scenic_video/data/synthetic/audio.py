"""The audio of a synthetic scene: a tone that glides or steps, up or down."""

import numpy as np
from jaxtyping import Float

from scenic_video.data.synthetic.scenes import AUDIO_CLASSES, DURATION

SAMPLE_RATE = 16_000


def render_audio(
    audio: int, *, seconds: float, rng: np.random.Generator
) -> Float[np.ndarray, " samples"]:
    """A mono waveform in [-1, 1] at `SAMPLE_RATE`. It does not depend on what is shown."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / (seconds * SAMPLE_RATE)
    duration = rng.uniform(*DURATION)
    progress = (time - rng.uniform(0, 1 - duration)) / duration
    low = rng.uniform(300, 500)
    frequency = low * rng.uniform(2, 3) ** _pitch(AUDIO_CLASSES[audio], np.clip(progress, 0, 1))
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE + rng.uniform(0, 2 * np.pi)
    loudness = rng.uniform(0.3, 0.6) * np.clip(20 * np.minimum(progress, 1 - progress), 0, 1)
    tone = loudness * np.sin(phase)
    return (tone + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


def _pitch(audio: str, progress: np.ndarray) -> np.ndarray:
    """0 is the low end, 1 the high end."""
    if audio == "rise":
        return progress
    if audio == "fall":
        return 1 - progress
    if audio == "high_then_low":
        return (progress < 0.5).astype(float)
    return (progress >= 0.5).astype(float)
