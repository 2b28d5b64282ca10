"""Damage of files: missing parts, frames that do not decode, encryption."""

from pathlib import Path

import av
import numpy as np
import pytest

from scenic_video.data.decoding import damage
from scenic_video.data.decoding.damage import damage_of
from scenic_video.data.preparation.checking import check
from scenic_video.data.sources import datasets

LENGTH = 60
"""Frames, at 25 a second: 2.4 s."""


@pytest.fixture(scope="module")
def frames(moving_frames):
    return moving_frames(LENGTH, 64, 96)


def cut(path, share=0.6):
    """The first part of a file, as an interrupted download leaves it."""
    with open(path, "rb") as file:
        data = file.read()
    return write_beside(path, "half", data[: int(len(data) * share)])


def write_beside(path, name, data):
    other = Path(path).with_stem(f"{Path(path).stem}_{name}")
    other.write_bytes(data)
    return str(other)


def scramble(path: str, *, spare=24, packets=slice(None)):
    """Replaces the content of packets by noise; their positions and sizes stay."""
    with av.open(path, "r") as container:
        places = [(p.pos or 0, p.size) for p in container.demux(video=0) if p.size][packets]
    with open(path, "rb") as file:
        data = bytearray(file.read())
    rng = np.random.default_rng(0)
    for position, size in places:
        noise = rng.integers(0, 256, max(0, size - spare), np.uint8).tobytes()
        data[position + spare : position + size] = noise
    return write_beside(path, "scrambled", data)


CODECS = [
    ("mp4", "libx264"),
    ("mov", "libx265"),
    ("mkv", "libx264"),
    ("webm", "libvpx"),
    ("avi", "mpeg4"),
    ("flv", "libx264"),
]


@pytest.mark.parametrize(("suffix", "codec"), CODECS)
def test_a_truncated_file_is_damaged(tmp_path, frames, write_video, suffix, codec):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"g": "12"}
    path = tmp_path / f"a.{suffix}"
    if suffix == "mov":  # its index in front, as a download that breaks off leaves it
        path = tmp_path / "a.mp4"
    whole = write_video(path, frames, codec=codec, options=options)
    for decode_all in (False, True):
        assert damage_of(whole, decode_all=decode_all) == ""
        assert "s, but its index states 2.4" in damage_of(cut(whole), decode_all=decode_all)


def test_audio_longer_than_the_video_is_not_damage(tmp_path, frames, write_video):
    audio = np.zeros(16000 * 4, np.float32)
    for suffix in ("mp4", "mkv"):
        path = write_video(tmp_path / f"a.{suffix}", frames, audio=audio)
        assert damage_of(path) == ""
    assert "but its index states 4" in damage_of(cut(path, 0.4))


def test_scrambled_frames_are_counted(tmp_path, frames, write_video):
    path = write_video(tmp_path / "a.mp4", frames, options={"g": "12"})
    scrambled = scramble(path)
    assert "of 60 frames that were decoded are damaged" in damage_of(scrambled)
    assert "of 60 frames are damaged" in damage_of(scrambled, decode_all=True)


def test_not_everything_is_decoded_by_default(tmp_path, frames, write_video, monkeypatch):
    monkeypatch.setattr(damage, "SECTION_PACKETS", 6)
    path = write_video(tmp_path / "a.mp4", frames, options={"g": "12", "bf": "0"})
    late = scramble(path, packets=slice(8, 12))
    assert damage_of(late) == ""
    assert "of 60 frames are damaged" in damage_of(late, decode_all=True)
    middle = scramble(path, packets=slice(24, 30))  # the first keyframe after a third
    assert "of 18 frames that were decoded are damaged" in damage_of(middle)


def test_a_gap_is_found_among_evenly_spaced_frames_only(tmp_path, frames, write_video):
    hole = [*range(30), *range(90, 120)]
    path = write_video(tmp_path / "hole.mkv", frames, ticks=hole)
    assert damage_of(path) == "has no frames from 1.16 to 3.6 s"
    pause = write_video(tmp_path / "pause.mp4", frames, ticks=hole, options={"bf": "0"})
    assert damage_of(pause) == ""
    uneven = write_video(tmp_path / "uneven.mkv", frames, ticks=[n * n for n in range(LENGTH)])
    assert damage_of(uneven) == ""


def test_short_videos_and_images_are_not_damaged(tmp_path, frames, write_video):
    assert damage_of(write_video(tmp_path / "a.mp4", frames[:3])) == ""
    image = write_video(
        tmp_path / "a.png", frames[:1], codec="png", pixel_format="rgb24", faststart=False
    )
    assert damage_of(image) == ""


def test_damage_is_reported_once_per_file(tmp_path, frames, write_video):
    whole = write_video(tmp_path / "a.mp4", frames, options={"g": "12"})
    cut(whole)
    rows = ["a.mp4,x,,", "a_half.mp4,y,,", "a_half.mp4,y,,0.4", "a_half.mp4,y,0.2,0.4"]
    (tmp_path / "train.csv").write_text("\n".join(["path,label,start,end", *rows]))
    report = check(datasets.open_dataset(tmp_path))
    (finding,) = report.damaged
    assert finding.id == "a_half.mp4" and "but its index states 2.4 s" in finding.what
    assert report.verdict().splitlines() == [
        "All 4 examples can be read. Possible problems:",
        "- 1 are in damaged files",
    ]
