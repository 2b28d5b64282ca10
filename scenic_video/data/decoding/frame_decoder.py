"""Decodes selected frames of a section of video with as little work as its codec allows."""

import itertools
import math
from collections.abc import Iterable, Iterator

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Bool, Int

from scenic_video.data.decoding.containers import Demuxer
from scenic_video.data.decoding.packets import Packets

CAN_SKIP = frozenset({"h264", "hevc", "mpeg2video", "mpeg4", "vp8", "vp9"})
"""Decoders that can skip single packets whose frames no other frame refers to."""

AWAITS_KEYFRAME = frozenset({"h264", "vp8", "vp9", "libdav1d", "av1", "libaom-av1"})
"""Decoders that output nothing before a true keyframe; others decode without a reference."""

LONGEST_REFRESH = 10
"""Seconds after which a decoder is exact wherever it started, for streams without keyframes."""

KeyedFrame = tuple[int, av.VideoFrame]
"""A frame and its key in `Packets.frames`."""


class FrameDecoder:
    """Frames of the section of video that `packets` describe.

    A packet that cannot be decoded loses its frame and, at worst, those that refer to it;
    `last_error` is the decoder's message for the last one.
    """

    def __init__(self, demuxer: Demuxer, packets: Packets):
        self._demuxer = demuxer
        self._packets = packets
        self.last_error = ""
        self._marks_are_true = True

    def only(self, keys: Int[np.ndarray, "n"]) -> Iterator[KeyedFrame]:
        """The frames with these keys, and possibly others between them.

        Requested frames may be absent if the stream is broken, lacks a true keyframe or marks a
        false one, or if its frames have only numbers: `all_from` has them, at a higher cost.
        """
        if self._packets.is_untimed or not self._marks_are_true:
            return
        for frame in self._decode_needed(set(keys.tolist()), self._packets.needed_for(keys)):
            if frame.pts is not None:
                yield frame.pts, frame

    def all_from(self, key: int) -> Iterator[KeyedFrame]:
        """All frames in order, starting early enough that the one with this key is exact."""
        start = self._safe_start(key)
        frames = self._keyed_from(start)
        first = next(frames, None)
        if start is not None and (first is None or first[0] > key or self._is_guess(first[1])):
            first, frames = None, self._keyed_from(None)
        if first is not None:
            yield first
        yield from frames

    def _keyed_from(self, start: int | None) -> Iterator[KeyedFrame]:
        packets = self._demuxer.packets(start)
        self._codec_context.flush_buffers()
        self._codec_context.skip_frame = "DEFAULT"
        for number, frame in enumerate(self._decode_all(packets)):
            if self._packets.is_untimed:
                yield number, frame
            elif frame.pts is not None:
                yield frame.pts, frame

    def _is_guess(self, first: av.VideoFrame) -> bool:
        """Whether the first decoded frame refers to others, even if it is marked as a keyframe."""
        return not first.key_frame and self._codec_context.name not in AWAITS_KEYFRAME

    @property
    def _codec_context(self) -> av.VideoCodecContext:
        return self._demuxer.stream.codec_context

    def _decode_needed(
        self, wanted: set[int], needed: Bool[np.ndarray, "packets"]
    ) -> Iterator[av.VideoFrame]:
        unwanted = "NONREF" if self._codec_context.name in CAN_SKIP else "DEFAULT"
        is_first, running = True, False
        for packet, is_needed in self._packets_over(needed):
            frames = []
            if is_needed:
                self._codec_context.skip_frame = "DEFAULT" if packet.pts in wanted else unwanted
                frames = self._decode(packet)
            elif running:
                frames = self._decode_rest()
            if frames and is_first and self._is_guess(frames[0]):
                self._marks_are_true = False
                return
            is_first = not is_needed or (is_first and not frames)
            running = is_needed
            yield from frames
        if running:
            yield from self._decode_rest()

    def _packets_over(
        self, needed: Bool[np.ndarray, "packets"]
    ) -> Iterator[tuple[av.Packet, np.bool]]:
        """The packets from the first to the last needed one."""
        first, last = np.flatnonzero(needed)[[0, -1]]
        packets: Iterable[av.Packet]
        if self._packets.kept is not None:
            packets = self._packets.kept[first : last + 1]
        else:
            begin = int(self._packets.pts[first])
            again = self._demuxer.packets(begin)
            packets = itertools.dropwhile(lambda packet: packet.pts != begin, again)
        return zip(packets, needed[first : last + 1], strict=False)

    def _decode_all(self, packets: Iterable[av.Packet]) -> Iterator[av.VideoFrame]:
        for packet in packets:
            yield from self._decode(packet)
        yield from self._decode_rest()

    def _decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        try:
            return self._codec_context.decode(packet)
        except FFmpegError as error:
            self.last_error = error.strerror
            return []

    def _decode_rest(self) -> list[av.VideoFrame]:
        """The frames still in the decoder; afterwards it can restart."""
        frames = self._decode(None)
        self._codec_context.flush_buffers()
        return frames

    def _safe_start(self, key: int) -> int | None:
        if self._packets.is_untimed or not self._marks_are_true:
            return None
        start = key - math.ceil(LONGEST_REFRESH / self._demuxer.time_base)
        return start if start > self._demuxer.origin else None
