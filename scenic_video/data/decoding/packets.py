"""What a demuxer tells of a stretch of video, and which packets a choice of its frames needs."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import Bool, Int

from scenic_video.data.decoding.containers import Demuxer
from scenic_video.data.decoding.shown_packets import SHOWS_PICTURE

MEMORY = 16 * 2**20
"""Bytes of packets that are kept for decoding; a larger stretch is read a second time."""


NO_TIME = -(2**63)
"""FFmpeg's number for a timestamp that is not there."""


@dataclasses.dataclass(frozen=True, eq=False)
class Packets:
    """The packets of a stretch of video, in decoding order.

    `pts` and `is_key` describe them; `kept` holds them, unless they are too large together.
    `ticks` are the times of the frames to show, sorted, in units of the stream's time base. The
    first is not before the part that was asked for, though its frame may be on screen before.
    `frames` are the keys by which decoded frames are known: their pts, or, where `is_untimed`,
    their ordinal numbers in the file, as the stream has no timestamps to rely on. `last_duration`
    is for how many ticks the last frame is shown.
    """

    pts: Int[np.ndarray, "packets"]
    is_key: Bool[np.ndarray, "packets"]
    kept: Sequence[av.Packet] | None
    ticks: Int[np.ndarray, "frames"]
    frames: Int[np.ndarray, "frames"]
    last_duration: int
    is_untimed: bool

    @property
    def precede_keyframes(self) -> bool:
        """Whether frames are listed before the first keyframe."""
        if self.is_untimed or not len(self.frames) or self.is_key[0]:
            return False
        keys = self.pts[self.is_key]
        return not len(keys) or bool(self.frames[0] < keys[0])

    def shown_from(self, key: int) -> "Packets":
        """Without the frames before this one."""
        is_shown = self.frames >= key
        return dataclasses.replace(self, ticks=self.ticks[is_shown], frames=self.frames[is_shown])

    def needed_for(self, wanted: Int[np.ndarray, "n"]) -> Bool[np.ndarray, "packets"]:
        """Marks what must be decoded to see the frames with pts `wanted`.

        That is, for each, all from the last keyframe that is not shown after it: frames that are
        decoded after a keyframe but shown before it (open GOP) lean on the previous one.
        """
        positions = np.flatnonzero(np.isin(self.pts, wanted))
        # A stretch that begins without a keyframe is decoded from wherever it begins.
        entries = np.flatnonzero(self.is_key | (np.arange(len(self.pts)) == 0))
        entry = np.searchsorted(entries, positions, side="right") - 1
        while (later := (entry > 0) & (self.pts[entries[entry]] > self.pts[positions])).any():
            entry = entry - later
        edges = np.zeros(len(self.pts) + 1, int)
        np.add.at(edges, entries[entry], 1)
        np.add.at(edges, positions + 1, -1)
        return np.cumsum(edges[:-1]) > 0


def scan(demuxer: Demuxer, *, low: int | None, high: int | None, rounding: int = 0) -> Packets:
    """The packets that the frames on screen at low <= time < high need; None is no bound.

    A frame up to `rounding` ticks after `low` counts as shown at `low`. Nothing is decoded, and
    only this part of the file is read, if its container can seek.
    """
    window = _Window(demuxer, low, high, rounding)
    if low is not None and demuxer.has_timestamps:
        stretch = _read(demuxer, start=low, high=high)
        is_entered = any(row.is_key and row.pts <= low for row in stretch.rows)
        if is_entered and _is_timed(stretch.rows) and _marks_can_be_true(stretch.rows):
            return _timed(stretch, window)
    stretch = _read(demuxer, start=None, high=high)
    if demuxer.has_timestamps and _is_timed(stretch.rows):
        return _timed(stretch, window)
    if not stretch.is_whole and any(row.dts is None for row in stretch.rows):
        # What is counted may be later than what is stated, by which reading stopped.
        stretch = _read(demuxer, start=None, high=None)
    return _untimed(stretch, window)


class _Row(NamedTuple):
    pts: int
    dts: int | None
    is_key: bool
    is_shown: bool
    duration: int


class _Stretch(NamedTuple):
    """Packets as read; `is_whole` unless reading stopped at the window's end."""

    rows: list[_Row]
    kept: list[av.Packet] | None
    is_whole: bool


class _Window(NamedTuple):
    demuxer: Demuxer
    low: int | None
    high: int | None
    rounding: int


def _read(demuxer: Demuxer, *, start: int | None, high: int | None) -> _Stretch:
    rows, kept, size, is_whole = [], [], 0, True
    shows_picture = SHOWS_PICTURE.get(demuxer.stream.codec_context.name)
    for packet in demuxer.packets(start):
        # Nothing is shown before it is decoded, so nothing that matters comes later.
        if high is not None and packet.dts is not None and packet.dts >= high:
            is_whole = False
            break
        is_shown = not packet.is_discard  # an edit list may hide frames
        if shows_picture is not None:
            is_shown = is_shown and shows_picture(memoryview(packet))
        pts = NO_TIME if packet.pts is None else packet.pts
        rows.append(_Row(pts, packet.dts, packet.is_keyframe, is_shown, packet.duration or 0))
        size += packet.size
        if size <= MEMORY:
            kept.append(packet)
    return _Stretch(rows, kept if size <= MEMORY else None, is_whole)


def _is_timed(rows: Sequence[_Row]) -> bool:
    """Whether pts tell frames apart."""
    times = [row.pts for row in rows if row.is_shown]
    return NO_TIME not in times and len(set(times)) == len(times)


def _marks_can_be_true(rows: Sequence[_Row]) -> bool:
    """Whether all that is decoded before a keyframe is shown before it.

    Where marks are false, frames may be decoded before the mark and be shown after it.
    """
    pts = np.array([row.pts for row in rows], int)
    is_key = np.array([row.is_key for row in rows], bool)
    return bool((np.maximum.accumulate(pts) == pts)[is_key].all())


def _timed(stretch: _Stretch, window: _Window) -> Packets:
    shown = sorted((row.pts, row.duration) for row in stretch.rows if row.is_shown)
    frames = np.array([pts for pts, _ in shown], int)
    usual = _last_duration(frames, shown[-1][1] if shown else 0, window.demuxer.ticks_per_frame)
    return _cut(
        Packets(
            pts=np.array([row.pts for row in stretch.rows], int),
            is_key=np.array([row.is_key for row in stretch.rows], bool),
            kept=stretch.kept,
            ticks=frames,
            frames=frames,
            last_duration=usual,
            is_untimed=False,
        ),
        stretch,
        window,
    )


def _untimed(stretch: _Stretch, window: _Window) -> Packets:
    """Frames known by number, in step with the times of decoding if the file states those.

    Either way the first is shown at the file's origin.
    """
    rows, ticks_per_frame = stretch.rows, window.demuxer.ticks_per_frame
    shown = [row for row in rows if row.is_shown]
    times = sorted({row.dts for row in shown if row.dts is not None})
    if len(times) < len(shown):
        times = [round(number * ticks_per_frame) for number in range(len(shown))]
    ticks = np.array(times, int)
    return _cut(
        Packets(
            pts=np.arange(len(rows)),
            is_key=np.array([row.is_key for row in rows], bool),
            kept=stretch.kept,
            ticks=ticks - ticks[:1] + window.demuxer.origin,
            frames=np.arange(len(ticks)),
            last_duration=max(1, round(ticks_per_frame)),
            is_untimed=True,
        ),
        stretch,
        window,
    )


def _cut(packets: Packets, stretch: _Stretch, window: _Window) -> Packets:
    """The frames on screen within the window; the first one's time is not before it."""
    low, high, ticks = window.low, window.high, packets.ticks
    first, last, duration = 0, len(ticks), packets.last_duration
    if stretch.is_whole and last and (low is not None or high is not None):
        duration = max(
            duration, window.demuxer.still_until(int(ticks[-1]) + duration) - int(ticks[-1])
        )
    if high is not None:
        last = int(np.searchsorted(ticks, high))
        goes_on = last < len(ticks) or not stretch.is_whole
        if last and goes_on:
            duration = int(ticks[last] if last < len(ticks) else high) - int(ticks[last - 1])
    if low is not None and last:
        first = max(0, int(np.searchsorted(ticks, low + window.rounding, side="right")) - 1)
        has_left = first == len(ticks) - 1 and ticks[first] + duration <= low
        if has_left or (high is not None and low >= high):
            first = last
    ticks = ticks[first:last]
    on_screen = ticks if low is None else np.maximum(ticks, low)
    if last > first:  # how long it is shown from the time that is stated here
        duration -= int(on_screen[-1] - ticks[-1])
    return dataclasses.replace(
        packets,
        ticks=on_screen,
        frames=packets.frames[first:last],
        last_duration=duration,
    )


def _last_duration(frames: Int[np.ndarray, "frames"], stated: int, ticks_per_frame: float) -> int:
    """What the container states, else what is usual in this video."""
    if stated > 0:
        return stated
    return int(np.median(np.diff(frames))) if len(frames) > 1 else max(1, round(ticks_per_frame))
