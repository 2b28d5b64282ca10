from fractions import Fraction

import av
import numpy as np
import pytest

from scenic_video.data.decoding.downmix import resampled

RATE = 16_000
TONE = 0.9 * np.sin(880 * np.pi * np.arange(RATE) / RATE)
INTEGERS = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64}


def audio(layout, form="flt", rate=RATE):
    """An audio frame with the tone in all channels."""
    samples = 0.9 * np.sin(880 * np.pi * np.arange(rate) / rate)
    name = form.removesuffix("p")
    if name in INTEGERS:
        kind = np.iinfo(INTEGERS[name])
        samples = samples * (127 if name == "u8" else float(kind.max))
        samples = (samples.round() + (128 if name == "u8" else 0)).astype(kind.dtype)
    else:
        samples = samples.astype(np.float32 if name == "flt" else np.float64)
    channels = av.AudioLayout(layout).nb_channels
    if form.endswith("p"):
        array = np.repeat(samples[None], channels, axis=0)
    else:
        array = np.repeat(samples, channels)[None]
    frame = av.AudioFrame(format=form, layout=layout, samples=rate, align=1)
    for plane, row in zip(frame.planes, array, strict=True):
        plane.update(row.tobytes())
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    return frame


def mixed(frame):
    pieces = list(resampled(iter([frame]), rate=RATE))
    assert all(piece.format.name == "fltp" for piece in pieces)
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces])


@pytest.mark.parametrize(
    "layout",
    ["mono", "stereo", "downmix", "2.1", "3.0", "quad", "5.1", "5.1(side)", "6.1", "7.1"]
    + ["hexagonal", "22.2", "3 channels", "9 channels", "1 channels (LFE)"],
)
def test_a_tone_that_all_channels_share_keeps_its_level(layout):
    np.testing.assert_allclose(mixed(audio(layout)), TONE, atol=1e-5)


@pytest.mark.parametrize("form", ["u8", "s16", "s32", "s64", "flt", "dbl"])
@pytest.mark.parametrize("planar", ["", "p"])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_samples_of_every_kind_are_equally_loud(form, planar, layout):
    tolerance = 0.02 if form == "u8" else 1e-4
    np.testing.assert_allclose(mixed(audio(layout, form + planar)), TONE, atol=tolerance)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_audio_of_every_rate_is_equally_loud(rate):
    samples = mixed(audio("5.1", rate=rate))
    assert len(samples) == pytest.approx(RATE, abs=40)
    assert np.abs(samples[2_000:12_000]).max() == pytest.approx(0.9, abs=0.01)


def test_channels_are_weighted_by_their_layout():
    frame = audio("5.1", "fltp")
    for plane in list(frame.planes)[:2] + list(frame.planes)[3:]:
        plane.update(bytes(plane.buffer_size))
    # Only the centre has a signal. Weights: 1 for it, 0.707 per front and 0.5 per back channel.
    assert np.abs(mixed(frame)).max() == pytest.approx(0.9 / (1 + 2**0.5 + 1), abs=1e-3)
