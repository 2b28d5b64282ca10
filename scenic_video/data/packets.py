"""What a demuxer tells of a stretch of video, and which packets a choice of its frames needs."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import Bool, Int

from scenic_video.data.containers import Demuxer

MEMORY = 16 * 2**20
"""Bytes of packets that are kept for decoding; a larger stretch is read a second time."""


NO_TIME = -(2**63)
"""FFmpeg's number for a timestamp that is not there."""


@dataclasses.dataclass(frozen=True, eq=False)
class Packets:
    """The packets of a stretch of video, in decoding order.

    `pts` and `is_key` describe them; `kept` holds them, unless they are too large together.
    `ticks` are the times of the frames to show, sorted, in units of the stream's time base, and
    `frames` the keys by which decoded frames are known: their pts, or, where `is_untimed`, their
    ordinal numbers in the file, as the stream has no timestamps to rely on. `last_duration` is
    for how many ticks the last frame is shown.
    """

    pts: Int[np.ndarray, "packets"]
    is_key: Bool[np.ndarray, "packets"]
    kept: Sequence[av.Packet] | None
    ticks: Int[np.ndarray, "frames"]
    frames: Int[np.ndarray, "frames"]
    last_duration: int
    is_untimed: bool

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


def scan(demuxer: Demuxer, *, low: int | None, high: int | None) -> Packets:
    """The packets that frames with low <= pts < high need, without decoding; None is no bound.

    Only this part of the file is read, if its container can seek.
    """
    if low is not None and demuxer.has_timestamps:
        rows, kept = _read(demuxer, start=low, high=high)
        if _is_timed(rows) and any(row.is_key and row.pts <= low for row in rows):
            return _timed(rows, kept, demuxer.ticks_per_frame, low=low, high=high)
    rows, kept = _read(demuxer, start=None, high=high)
    if demuxer.has_timestamps and _is_timed(rows):
        return _timed(rows, kept, demuxer.ticks_per_frame, low=low, high=high)
    return _untimed(rows, kept, demuxer.ticks_per_frame, low=low, high=high)


class _Row(NamedTuple):
    pts: int
    dts: int | None
    is_key: bool
    is_shown: bool
    duration: int


def _read(
    demuxer: Demuxer, *, start: int | None, high: int | None
) -> tuple[list[_Row], list[av.Packet] | None]:
    rows, kept, size = [], [], 0
    for packet in demuxer.packets(start):
        # Nothing is shown before it is decoded, so nothing that matters comes later.
        if high is not None and packet.dts is not None and packet.dts >= high:
            break
        rows.append(
            _Row(
                pts=NO_TIME if packet.pts is None else packet.pts,
                dts=packet.dts,
                is_key=packet.is_keyframe,
                is_shown=not packet.is_discard,  # an edit list may hide frames
                duration=packet.duration or 0,
            )
        )
        size += packet.size
        if size <= MEMORY:
            kept.append(packet)
    return rows, kept if size <= MEMORY else None


def _is_timed(rows: Sequence[_Row]) -> bool:
    """Whether pts tell frames apart."""
    times = {row.pts for row in rows}
    return NO_TIME not in times and len(times) == len(rows)


def _timed(
    rows: Sequence[_Row],
    kept: list[av.Packet] | None,
    ticks_per_frame: float,
    *,
    low: int | None,
    high: int | None,
) -> Packets:
    shown = sorted(
        (row.pts, row.duration) for row in rows if row.is_shown and _within(row.pts, low, high)
    )
    frames = np.array([pts for pts, _ in shown], int)
    return Packets(
        pts=np.array([row.pts for row in rows], int),
        is_key=np.array([row.is_key for row in rows], bool),
        kept=kept,
        ticks=frames,
        frames=frames,
        last_duration=_last_duration(frames, shown[-1][1] if shown else 0, ticks_per_frame),
        is_untimed=False,
    )


def _untimed(
    rows: Sequence[_Row],
    kept: list[av.Packet] | None,
    ticks_per_frame: float,
    *,
    low: int | None,
    high: int | None,
) -> Packets:
    """Frames known by number, at the times of decoding if the file states those."""
    times = sorted({row.dts for row in rows if row.dts is not None})
    if len(times) < len(rows):
        times = [round(number * ticks_per_frame) for number in range(len(rows))]
    frames = np.array([n for n, time in enumerate(times) if _within(time, low, high)], int)
    return Packets(
        pts=np.arange(len(rows)),
        is_key=np.array([row.is_key for row in rows], bool),
        kept=kept,
        ticks=np.array(times, int)[frames],
        frames=frames,
        last_duration=round(ticks_per_frame),
        is_untimed=True,
    )


def _last_duration(frames: Int[np.ndarray, "frames"], stated: int, ticks_per_frame: float) -> int:
    """What the container states, else what is usual in this video."""
    if stated > 0:
        return stated
    return int(np.median(np.diff(frames))) if len(frames) > 1 else max(1, round(ticks_per_frame))


def _within(time: int, low: int | None, high: int | None) -> bool:
    return (low is None or time >= low) and (high is None or time < high)
