"""Reads frames of a video by their timestamps, and decodes only the packets that they need."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from jaxtyping import Float, Int, UInt8

from scenic_video.data.decoding.containers import Demuxer, Source, UnreadableVideo, naming_failures
from scenic_video.data.decoding.frame_decoder import FrameDecoder
from scenic_video.data.decoding.packets import scan
from scenic_video.data.decoding.sampling import TIMESTAMP_ROUNDING
from scenic_video.data.decoding.selected_frames import Convert, SelectedFrames

__all__ = ["UnreadableVideo", "VideoReader"]

DAMAGED_SHARE = 0.1
"""The share of damaged frames above which a clip may no longer match its label."""

TICK_ROUNDING = 1e-6
"""Ticks by which a time in seconds may deviate from its tick."""


class VideoReader(contextlib.AbstractContextManager):
    """Reads frames of a video, or of its part from `start` to `end` seconds. Close it after use.

    `timestamps` are the sorted times of the frames on screen in [start, end), in seconds from the
    first frame of the file. The first is the frame on screen at `start`, with the time `start`.
    `finish` is when the last of them ends. Frames are bit for bit those that decoding the file from
    its start would give.

    `name` is used for bytes in messages. Errors: UnreadableVideo if there is no video, or none in
    that time.
    """

    timestamps: Float[np.ndarray, "frames"]
    finish: float

    def __init__(
        self,
        source: Source,
        *,
        name: str | None = None,
        start: float | int = 0.0,
        end: float | int | None = None,
    ):
        self._demuxer = Demuxer(source, name=name)
        self._num_corrupt = self._num_missing = self._num_read = 0
        try:
            with naming_failures(self.name):
                self._scan(start, end)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return self._demuxer.name

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick."""
        return self._demuxer.time_base

    @property
    def first_time(self) -> Fraction:
        """The time of `timestamps[0]` in seconds on the file's own clock, which audio shares."""
        return int(self._packets.ticks[0]) * self.time_base

    @property
    def intervals(self) -> Float[np.ndarray, "intervals"]:
        """Seconds from each frame to the next, without one that is on screen before `start`."""
        intervals = np.diff(self.timestamps)
        is_cut = not self._packets.is_untimed and self._packets.ticks[0] > self._packets.frames[0]
        return intervals[1:] if is_cut else intervals

    @property
    def has_audio(self) -> bool:
        return self._demuxer.has_audio

    @property
    def codec(self) -> str:
        """FFmpeg's name of the decoder, such as "h264"."""
        return self._demuxer.stream.codec_context.name

    def read(
        self, indices: Int[np.ndarray, "n"] | Sequence[int], convert: Convert
    ) -> UInt8[np.ndarray, "n height width 3"]:
        """The frames at `indices` of `timestamps`, in any order and with repetitions.

        `convert`, such as an `RgbConverter`, turns each decoded frame into an array. A frame that
        cannot be decoded is replaced by the one before it. Errors: UnreadableVideo if none can be
        decoded; call `require_whole` to check for too many replacements.
        """
        unique, rows = np.unique(np.asarray(indices), return_inverse=True)
        selected = SelectedFrames(self._packets.frames[unique], convert)
        with naming_failures(self.name):
            self._find(selected)
        if selected.array is None:
            raise UnreadableVideo(f"{self.name}: none of its frames can be decoded{self._reason}.")
        self._num_corrupt, self._num_missing = selected.num_corrupt, selected.num_replaced
        self._num_read = len(unique)
        in_order = np.array_equal(rows, np.arange(len(unique)))
        return selected.array if in_order else selected.array[rows]

    def frames(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Every frame that can be decoded, in order, with its time on the file's own clock.

        Times are ticks of `time_base`, exactly as the file states them, so they may not start at 0.
        Frames that are not later than the one before, as in broken streams, are skipped.
        """
        ticks = dict(zip(self._packets.frames.tolist(), self._packets.ticks.tolist(), strict=True))
        last, shown = int(self._packets.frames[-1]), -math.inf
        with naming_failures(self.name):
            for key, frame in self._decoder.all_from(int(self._packets.frames[0])):
                if key in ticks and ticks[key] > shown:
                    shown = ticks[key]
                    yield shown, frame
                if key >= last:
                    return

    def require_whole(self) -> None:
        """Errors: UnreadableVideo if too many of the frames read last are damaged.

        These are more than one in ten of the distinct frames, either replaced because they are
        missing while the decoder rejected packets, or flagged by the decoder as decoded with
        errors. Frames that are missing without an error are not damage: some streams start with
        frames that refer to a part that was cut off, or have one packet per field.
        """
        num_damaged = self._num_corrupt + (self._num_missing if self._decoder.last_error else 0)
        if num_damaged > DAMAGED_SHARE * self._num_read:
            raise UnreadableVideo(
                f"{self.name}: {num_damaged} of {self._num_read} frames of the clip are "
                f"missing or decoded with errors{self._reason}."
            )

    @property
    def _reason(self) -> str:
        return f": {self._decoder.last_error}" if self._decoder.last_error else ""

    def close(self) -> None:
        self._demuxer.close()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _scan(self, start: float | int, end: float | int | None) -> None:
        origin, time_base = self._demuxer.origin, float(self.time_base)
        # Time 0 is not a bound: streams with a wrong start time have frames before it.
        low = origin + math.floor(start / time_base + TICK_ROUNDING) if start > 0 else None
        high = origin + _ticks(end, time_base) if end is not None else None
        latest = origin + math.floor((start + TIMESTAMP_ROUNDING) / time_base)
        rounding = 0 if low is None else latest - low
        self._packets = scan(self._demuxer, low=low, high=high, rounding=rounding)
        self._decoder = FrameDecoder(self._demuxer, self._packets)
        if self._demuxer.may_be_cut and self._packets.precede_keyframes:
            first = next(self._decoder.all_from(int(self._packets.frames[0])), None)
            if first is not None:
                self._packets = self._packets.shown_from(first[0])
                self._decoder = FrameDecoder(self._demuxer, self._packets)
        if not len(self._packets.frames):
            until = "its end" if end is None else f"{end:g} s"
            raise UnreadableVideo(f"{self.name}: there is no frame from {start:g} s to {until}.")
        self.timestamps = (self._packets.ticks - origin) * time_base
        finish = float(self.timestamps[-1]) + self._packets.last_duration * time_base
        self.finish = finish if end is None else min(finish, float(end))

    def _find(self, selected: SelectedFrames) -> None:
        for key, frame in self._decoder.only(selected.missing_keys):
            if key in selected.missing:
                selected.put(key, frame)
        if not selected.missing:
            return
        before = None
        for key, frame in self._decoder.all_from(int(selected.missing_keys[0])):
            selected.put_gaps(key, before or frame)
            if key in selected.missing:
                selected.put(key, frame)
            if not selected.missing:
                return
            before = frame
        if before is not None:
            selected.put_gaps(None, before)


def _ticks(seconds: float | int, time_base: float) -> int:
    """The first tick of `time_base` that is not before `seconds`, up to rounding."""
    return math.ceil((seconds - TIMESTAMP_ROUNDING) / time_base)
