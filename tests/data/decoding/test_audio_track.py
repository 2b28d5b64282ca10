from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError
from av.stream import Disposition

from scenic_video.data.decoding.audio_track import audio_track, timed
from scenic_video.data.decoding.video_reader import VideoReader

RATE = 16_000


def write_audio(path, pieces, *, rate=RATE, codec="flac", layout="mono"):
    """Writes chunks of (first sample, samples); between them the file has no packets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        stream.format = "s16"
        for first, samples in pieces:
            interleaved = np.repeat(samples, stream.layout.nb_channels)
            frame = av.AudioFrame.from_ndarray(
                (interleaved * 32767).astype(np.int16)[None], format="s16", layout=layout
            )
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def read(path, *, begin=0.0, duration=1.0, rate=RATE):
    pieces = audio_track(path, begin=Fraction(begin), duration=duration, rate=rate)
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


@pytest.fixture
def noise():
    return np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE)


def test_a_window_is_a_slice_of_the_whole(tmp_path, noise):
    path = write_audio(tmp_path / "a.mkv", [(0, noise)])
    np.testing.assert_allclose(read(path, duration=9.0), noise, atol=1e-4)
    for begin in (0.5, 2.25):
        first = int(begin * RATE)
        window = read(path, begin=begin, duration=1.25)
        assert len(window) == 1.25 * RATE
        # Matroska stores milliseconds: 16 samples.
        errors = [
            np.abs(window - noise[first + slip : first + slip + len(window)]).max()
            for slip in range(-16, 17)
        ]
        assert min(errors) < 1e-4


def test_late_audio_is_preceded_by_silence(tmp_path, noise):
    path = write_audio(tmp_path / "late.mkv", [(8_000, noise)])
    samples = read(path, duration=2.0)
    assert np.flatnonzero(samples)[0] == pytest.approx(8_000, abs=16)
    assert len(samples) == 2 * RATE


def test_audio_before_the_start_is_cut(tmp_path, noise):
    path = write_audio(tmp_path / "a.mkv", [(0, noise)])
    np.testing.assert_allclose(read(path, begin=0.25), noise[4_000:20_000], atol=1e-4)


def test_gaps_are_silent(tmp_path, noise):
    pieces = [(0, noise[:RATE]), (2 * RATE, noise[RATE : 2 * RATE])]
    samples = read(write_audio(tmp_path / "gap.mkv", pieces), duration=3.0)
    assert len(samples) == 3 * RATE
    loud = np.abs(samples).reshape(-1, 1000).max(1) > 0.1
    np.testing.assert_array_equal(loud[[3, 12, 20, 28, 35, 44]], [1, 1, 0, 0, 1, 1])


def test_audio_is_resampled(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    samples = read(write_audio(tmp_path / "a.mkv", [(0, tone)], rate=44_100))
    assert len(samples) == pytest.approx(RATE, abs=50)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(samples[1_000:15_000], expected[1_000:15_000], atol=0.02)


def test_a_video_without_audio_has_no_chunks(tmp_path, moving_frames, write_video):
    assert len(read(write_video(tmp_path / "v.mp4", moving_frames(5)))) == 0


def test_audio_continues_when_its_rate_and_channels_change(tmp_path):
    tone = {rate: 0.3 * np.sin(880 * np.pi * np.arange(rate) / rate) for rate in (48_000, RATE)}
    parts = [
        write_audio(
            tmp_path / "a.ts", [(0, tone[48_000])], rate=48_000, codec="mp2", layout="stereo"
        ),
        write_audio(tmp_path / "b.ts", [(RATE, tone[RATE])], codec="mp2"),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(Path(part).read_bytes() for part in parts))
    with av.open(str(joined)) as container:
        begin = container.start_time / av.time_base
    samples = read(joined, begin=begin, duration=2.0)
    loudness = [np.abs(samples[at : at + 1600]).mean() for at in range(0, len(samples), 1600)]
    assert len(loudness) >= 19 and min(loudness[1:8]) > 0.15 and min(loudness[11:18]) > 0.15


def test_frames_without_a_time_follow_the_one_before(tmp_path):
    path = tmp_path / "phone.nut"
    tone = 0.5 * np.sin(880 * np.pi * np.arange(2 * 8_000) / 8_000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopencore_amrnb", rate=8_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray((tone * 32767).astype(np.int16)[None], layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 8_000, Fraction(1, 8_000), 0
        encoded = [bytes(packet) for packet in (*stream.encode(frame), *stream.encode(None))]
        for first in range(0, len(encoded), 50):  # as phones wrote them: 50 frames a packet
            packet = av.Packet(b"".join(encoded[first : first + 50]))
            packet.stream, packet.time_base = stream, Fraction(1, 8_000)
            packet.pts = packet.dts = 160 * first
            container.mux(packet)
    for begin in (0.0, 1.25):
        samples = read(path, begin=begin, duration=0.7)
        assert len(samples) == 0.7 * RATE
        assert np.abs(samples[800:]).reshape(-1, 160).max(axis=1).min() > 0.2


def test_audio_without_times_is_counted_from_its_start():
    def frame(pts):
        audio = av.AudioFrame.from_ndarray(np.zeros((1, 400), np.float32), "fltp", "mono")
        audio.sample_rate, audio.time_base, audio.pts = 8_000, Fraction(1, 1_000), pts
        return audio

    frames = timed(iter([frame(pts) for pts in (None, None, 500, None)]), Fraction(3, 10))
    assert [f.time for f in frames] == pytest.approx([0.3, 0.35, 0.5, 0.55])


@pytest.mark.parametrize(("track", "chunks"), [(0, b"00dc"), (1, b"01wb")])
def test_audio_and_frames_are_read_after_a_failed_seek(
    tmp_path, noise, moving_frames, write_video, track, chunks
):
    path = str(tmp_path / "recorder.avi")
    video_file: str = write_video(
        tmp_path / "v.avi", moving_frames(40, 32, 32), fps=10, codec="mpeg4"
    )
    audio_file = write_audio(tmp_path / "a.wav", [(0, noise)], codec="pcm_s16le")
    with (
        av.open(video_file, "r") as video,
        av.open(audio_file, "r") as audio,
        av.open(path, "w") as out,
    ):
        streams = [out.add_stream_from_template(file.streams[0]) for file in (video, audio)]
        packets = [(p, streams[0]) for p in video.demux() if p.size]
        packets += [(p, streams[1]) for p in audio.demux() if p.size]
        for packet, stream in sorted(
            packets, key=lambda both: (both[0].dts or 0) * both[0].time_base
        ):
            packet.stream = stream
            out.mux(packet)
    # An index without any sync sample.
    data = bytearray(Path(path).read_bytes())
    at = data.rindex(b"idx1") + 8
    for entry in range(at, at + int.from_bytes(data[at - 4 : at], "little"), 16):
        if data[entry : entry + 4] == chunks:
            data[entry + 4 : entry + 8] = bytes(4)
    Path(path).write_bytes(data)
    with av.open(path, "r") as container, pytest.raises(FFmpegError):
        container.seek(10**9, stream=container.streams[track])
    for begin in (0.0, 1.5, 3.0):
        first = int(begin * RATE)
        window = read(path, begin=begin, duration=0.5)
        np.testing.assert_allclose(window, noise[first : first + RATE // 2], atol=1e-4)
    with VideoReader(path) as whole, VideoReader(path, start=2.5) as part:
        expected = whole.read([25, 39], rgb)
        np.testing.assert_array_equal(part.read([0, 14], rgb), expected)


def test_the_audio_that_players_choose_is_read(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        streams[0].disposition = Disposition.comment
        streams[1].disposition = Disposition.default
        for level, stream in zip((0.1, 0.4), streams, strict=True):
            samples = np.full((1, RATE), int(level * 32767), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    assert np.median(read(path)) == pytest.approx(0.4, abs=0.01)


def test_a_gap_of_hours_takes_no_memory(tmp_path, noise):
    late = 5 * 3600 * RATE
    path = write_audio(tmp_path / "a.mkv", [(0, noise[:RATE]), (late, noise[:RATE])])
    pieces = audio_track(path, begin=Fraction(0), duration=6 * 3600.0, rate=RATE)
    lengths = [len(piece) for piece in pieces]
    assert abs(sum(lengths) - (late + RATE)) <= 16  # Matroska keeps milliseconds
    assert max(lengths) <= 10 * RATE
