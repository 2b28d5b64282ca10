"""Lists the packets of a section of video, and those needed to decode selected frames."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import Bool, Int

from scenic_video.data.decoding.containers import Demuxer
from scenic_video.data.decoding.shown_packets import SHOWS_FRAME

MEMORY = 16 * 2**20
"""Bytes of packets that are kept for decoding; larger sections are read a second time."""


NO_TIME = -(2**63)
"""FFmpeg's value for a missing timestamp."""


@dataclasses.dataclass(frozen=True, eq=False)
class Packets:
    """The packets of a section of video, in decoding order.

    `pts` and `is_key` describe them; `kept` holds them, unless they are too large. `ticks` are the
    sorted times of the shown frames, in units of the time base of the stream. The first is not
    before the requested section, even if its frame is on screen earlier. `frames` are the keys of
    decoded frames: their pts, or with `is_untimed` their ordinal numbers in the file, since the
    stream has no usable timestamps. `last_duration` is the duration of the last frame in ticks.
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
        """The packets without the frames before this one."""
        is_shown = self.frames >= key
        return dataclasses.replace(self, ticks=self.ticks[is_shown], frames=self.frames[is_shown])

    def needed_for(self, wanted: Int[np.ndarray, "n"]) -> Bool[np.ndarray, "packets"]:
        """Marks the packets to decode for the frames with pts `wanted`.

        For each frame these are all packets from the last keyframe that is not shown after it:
        frames decoded after a keyframe but shown before it (open GOP) refer to the previous one.
        """
        positions = np.flatnonzero(np.isin(self.pts, wanted))
        # A section that starts without a keyframe is decoded from its start.
        entries = np.flatnonzero(self.is_key | (np.arange(len(self.pts)) == 0))
        entry = np.searchsorted(entries, positions, side="right") - 1
        while (later := (entry > 0) & (self.pts[entries[entry]] > self.pts[positions])).any():
            entry = entry - later
        edges = np.zeros(len(self.pts) + 1, int)
        np.add.at(edges, entries[entry], 1)
        np.add.at(edges, positions + 1, -1)
        return np.cumsum(edges[:-1]) > 0


def scan(demuxer: Demuxer, *, low: int | None, high: int | None, rounding: int = 0) -> Packets:
    """The packets needed for the frames on screen at low <= time < high; None means unbounded.

    A frame up to `rounding` ticks after `low` counts as shown at `low`. Nothing is decoded, and
    only this part of the file is read if its container supports seeking.
    """
    window = _Window(demuxer, low, high, rounding)
    if low is not None and demuxer.has_timestamps:
        section = _read(demuxer, start=low, high=high)
        is_entered = any(row.is_key and row.pts <= low for row in section.rows)
        if is_entered and _is_timed(section.rows) and _marks_can_be_true(section.rows):
            return _timed(section, window)
    section = _read(demuxer, start=None, high=high)
    if demuxer.has_timestamps and _is_timed(section.rows):
        return _timed(section, window)
    if not section.is_whole and any(row.dts is None for row in section.rows):
        # Counted times may be later than stated ones, at which reading stopped.
        section = _read(demuxer, start=None, high=None)
    return _untimed(section, window)


class _Listed(NamedTuple):
    pts: int
    dts: int | None
    is_key: bool
    is_shown: bool
    duration: int


class _Section(NamedTuple):
    """Packets as read; `is_whole` unless reading stopped at the end of the window."""

    rows: list[_Listed]
    kept: list[av.Packet] | None
    is_whole: bool


class _Window(NamedTuple):
    demuxer: Demuxer
    low: int | None
    high: int | None
    rounding: int


def _read(demuxer: Demuxer, *, start: int | None, high: int | None) -> _Section:
    rows, kept, size, is_whole = [], [], 0, True
    shows_frame = SHOWS_FRAME.get(demuxer.stream.codec_context.name)
    for packet in demuxer.packets(start):
        # Frames are shown after they are decoded, so no relevant packet comes later.
        if high is not None and packet.dts is not None and packet.dts >= high:
            is_whole = False
            break
        is_shown = not packet.is_discard  # an edit list may hide frames
        if shows_frame is not None:
            is_shown = is_shown and shows_frame(memoryview(packet))
        pts = NO_TIME if packet.pts is None else packet.pts
        rows.append(_Listed(pts, packet.dts, packet.is_keyframe, is_shown, packet.duration or 0))
        size += packet.size
        if size <= MEMORY:
            kept.append(packet)
    return _Section(rows, kept if size <= MEMORY else None, is_whole)


def _is_timed(rows: Sequence[_Listed]) -> bool:
    """Whether the pts of frames are distinct."""
    times = [row.pts for row in rows if row.is_shown]
    return NO_TIME not in times and len(set(times)) == len(times)


def _marks_can_be_true(rows: Sequence[_Listed]) -> bool:
    """Whether all frames decoded before a keyframe are shown before it.

    With false keyframe marks, frames may be decoded before a mark and shown after it.
    """
    pts = np.array([row.pts for row in rows], int)
    is_key = np.array([row.is_key for row in rows], bool)
    return bool((np.maximum.accumulate(pts) == pts)[is_key].all())


def _timed(section: _Section, window: _Window) -> Packets:
    shown = sorted((row.pts, row.duration) for row in section.rows if row.is_shown)
    frames = np.array([pts for pts, _ in shown], int)
    usual = _last_duration(frames, shown[-1][1] if shown else 0, window.demuxer.ticks_per_frame)
    return _cut(
        Packets(
            pts=np.array([row.pts for row in section.rows], int),
            is_key=np.array([row.is_key for row in section.rows], bool),
            kept=section.kept,
            ticks=frames,
            frames=frames,
            last_duration=usual,
            is_untimed=False,
        ),
        section,
        window,
    )


def _untimed(section: _Section, window: _Window) -> Packets:
    """Frames with numbers as keys, at their decoding times if the file states those.

    In both cases the first frame is shown at the origin of the file.
    """
    rows, ticks_per_frame = section.rows, window.demuxer.ticks_per_frame
    shown = [row for row in rows if row.is_shown]
    times = sorted({row.dts for row in shown if row.dts is not None})
    if len(times) < len(shown):
        times = [round(number * ticks_per_frame) for number in range(len(shown))]
    ticks = np.array(times, int)
    return _cut(
        Packets(
            pts=np.arange(len(rows)),
            is_key=np.array([row.is_key for row in rows], bool),
            kept=section.kept,
            ticks=ticks - ticks[:1] + window.demuxer.origin,
            frames=np.arange(len(ticks)),
            last_duration=max(1, round(ticks_per_frame)),
            is_untimed=True,
        ),
        section,
        window,
    )


def _cut(packets: Packets, section: _Section, window: _Window) -> Packets:
    """The frames on screen in the window; the time of the first is not before it."""
    low, high, ticks = window.low, window.high, packets.ticks
    first, last, duration = 0, len(ticks), packets.last_duration
    if section.is_whole and last and (low is not None or high is not None):
        duration = max(
            duration, window.demuxer.still_until(int(ticks[-1]) + duration) - int(ticks[-1])
        )
    if high is not None:
        last = int(np.searchsorted(ticks, high))
        goes_on = last < len(ticks) or not section.is_whole
        if last and goes_on:
            duration = int(ticks[last] if last < len(ticks) else high) - int(ticks[last - 1])
    if low is not None and last:
        first = max(0, int(np.searchsorted(ticks, low + window.rounding, side="right")) - 1)
        has_left = first == len(ticks) - 1 and ticks[first] + duration <= low
        if has_left or (high is not None and low >= high):
            first = last
    ticks = ticks[first:last]
    on_screen = ticks if low is None else np.maximum(ticks, low)
    if last > first:  # its duration from the time stated here
        duration -= int(on_screen[-1] - ticks[-1])
    return dataclasses.replace(
        packets,
        ticks=on_screen,
        frames=packets.frames[first:last],
        last_duration=duration,
    )


def _last_duration(frames: Int[np.ndarray, "frames"], stated: int, ticks_per_frame: float) -> int:
    """The duration that the container states, else the usual one in this video."""
    if stated > 0:
        return stated
    return int(np.median(np.diff(frames))) if len(frames) > 1 else max(1, round(ticks_per_frame))
