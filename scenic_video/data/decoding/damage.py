"""Finds damage in a video: missing parts, and frames that do not decode."""

import contextlib
import dataclasses
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from scenic_video.data.decoding.containers import Demuxer, Source, open_container

STATES_ITS_LENGTH = ("mov", "matroska", "avi", "flv")
"""Containers whose header states their duration; others are as long as their packets."""
LIST_TIMES = ("mov", "avi")
"""Containers whose index states the time of every frame."""
TOLERANCE = 0.5
"""Seconds by which a file may end early, because of rounding or longer audio."""
LONGEST_GAP = 1.0
"""Seconds without a frame that are not a pause, at an otherwise constant frame rate."""
SECTIONS = 3
SECTION_PACKETS = 48
"""Unless all packets are decoded, this many are, at each of `SECTIONS` positions."""
FEW = 0.02
"""The share of frames that may fail, since they refer to frames cut off before the first."""


def damage_of(source: Source, *, name: str | None = None, decode_all: bool = False) -> str:
    """A description of the damage of a video that opens; "" if there is none.

    All packets are listed; all of them, or those of some sections, are decoded. Errors:
    UnreadableVideo.
    """
    with Demuxer(source, name=name) as demuxer:
        scan = _Scan(demuxer, _stated_seconds(demuxer), decode_all=decode_all)
        for packet in demuxer.packets():
            scan.add(packet)
        scan.finish()
    missing = scan.missing_end()
    if missing and scan.has_other_streams and scan.is_reached_by(_last_end(source)):
        missing = ""
    found = [scan.encryption(), missing, scan.gap(), scan.failures()]
    return "; ".join(words for words in found if words)


def is_encrypted(source: Source) -> bool:
    """Whether the file states that its video is encrypted."""
    try:
        with Demuxer(source) as demuxer:
            first = next(iter(demuxer.packets()), None)
            return first is not None and first.has_sidedata("encryption_info")
    except (FFmpegError, ValueError):
        return False


@dataclasses.dataclass
class _Decoded:
    """Counts of decoding; packets without a shown frame are not counted."""

    packets: int = 0
    frames: int = 0
    corrupt: int = 0
    errors: int = 0


class _Scan:
    """One pass over the packets of a video."""

    def __init__(self, demuxer: Demuxer, stated: float | None, *, decode_all: bool):
        self._demuxer, self._stated, self._decode_all = demuxer, stated, decode_all
        self._context = demuxer.stream.codec_context
        self._seconds = float(demuxer.time_base)
        self._num_streams = len(demuxer.stream.container.streams)
        self._states_own_length = bool(demuxer.stream.duration)
        self._times: list[int] = []
        self._end = 0
        self._encrypted = self._broken = 0
        self._decoded = _Decoded()
        self._left = SECTION_PACKETS
        self._section = 0

    def add(self, packet: av.Packet) -> None:
        self._encrypted += packet.has_sidedata("encryption_info")
        self._broken += packet.is_corrupt
        if packet.pts is not None:
            self._times.append(packet.pts)
            self._end = max(self._end, packet.pts + (packet.duration or 0) - self._demuxer.origin)
        if self._is_due(packet):
            self._decoded.packets += not packet.is_discard
            self._decode(packet)

    def finish(self) -> None:
        self._decode(None)

    def encryption(self) -> str:
        return "it is encrypted" if self._encrypted else ""

    @property
    def has_other_streams(self) -> bool:
        """Whether the stated duration may be that of another stream."""
        return self._num_streams > 1 and not self._states_own_length

    def is_reached_by(self, seconds: float) -> bool:
        """Whether a stream that ends there has the duration that the file states."""
        return self._stated is None or self._stated - seconds <= TOLERANCE

    def missing_end(self) -> str:
        end = self._end * self._seconds
        if self.is_reached_by(end):
            return ""
        return f"ends at {end:.4g} s, but its index states {self._stated:.4g} s"

    def gap(self) -> str:
        """A gap in a video whose other frames are evenly spaced, as from a broken part.

        If an index lists the times of all frames, a long gap is a pause.
        """
        times = np.unique(np.array(self._times, float)) * self._seconds
        intervals = np.diff(times)
        if not len(intervals) or self._demuxer.stream.container.format.name.startswith(LIST_TIMES):
            return ""
        usual = float(np.median(intervals))
        is_even = np.mean(np.abs(intervals - usual) <= usual / 2) >= 1 - FEW
        longest = int(np.argmax(intervals))
        if not is_even or intervals[longest] < max(LONGEST_GAP, 10 * usual):
            return ""
        start = float(times[longest] - times[0])
        return f"has no frames from {start:.4g} to {start + intervals[longest]:.4g} s"

    def failures(self) -> str:
        done = self._decoded
        failed = done.corrupt + done.errors
        if self._decode_all and self._context.name in ("h264", "hevc") and done.frames > 1:
            failed = max(failed, done.packets - done.frames)  # others have frameless packets
        is_half = abs(done.packets - 2 * done.frames) <= 2  # a packet per field, not per frame
        if failed <= FEW * done.packets or (is_half and not done.corrupt + done.errors):
            return f"{self._broken} packets are incomplete" if self._broken > 1 else ""
        of_decoded = "" if self._decode_all else " that were decoded"
        return f"{failed} of {done.packets} frames{of_decoded} are damaged"

    def _is_due(self, packet: av.Packet) -> bool:
        """Whether to decode the packet: all are, or it is in a section that starts at a
        keyframe."""
        if self._decode_all or self._left > 0:
            self._left -= 1
            return True
        if self._left == 0:
            self.finish()
            self._left, self._section = -1, self._section + 1
        due = self._section / SECTIONS * (self._stated or 0.0)
        time = ((packet.pts or 0) - self._demuxer.origin) * self._seconds
        if self._section < SECTIONS and packet.is_keyframe and 0 < due <= time:
            self._left = SECTION_PACKETS - 1
            return True
        return False

    def _decode(self, packet: av.Packet | None) -> None:
        try:
            for frame in self._frames(packet):
                self._decoded.frames += 1
                self._decoded.corrupt += frame.is_corrupt
        except FFmpegError:
            self._decoded.errors += packet is not None and not packet.is_discard
        if packet is None:
            self._context.flush_buffers()

    def _frames(self, packet: av.Packet | None) -> Iterator[av.VideoFrame]:
        yield from self._context.decode(packet)


def _stated_seconds(demuxer: Demuxer) -> float | None:
    """The duration of the video in the file's header; None if it is not stated."""
    container = demuxer.stream.container
    assert isinstance(container, InputContainer)
    if not container.format.name.startswith(STATES_ITS_LENGTH):
        return None
    if container.format.name == "avi" and demuxer.stream.frames:  # whose duration is a guess
        return demuxer.stream.frames * demuxer.ticks_per_frame * float(demuxer.time_base)
    if demuxer.stream.duration:
        return demuxer.stream.duration * float(demuxer.time_base)
    if not container.duration or container.format.name.startswith("mov"):
        return None  # of fragmented files, only what was read so far
    return container.duration / av.time_base


def _last_end(source: Source) -> float:
    """Seconds at which the last packet of any stream ends, since a duration may be the audio's."""
    end = 0.0
    with open_container(source) as container, contextlib.suppress(FFmpegError):
        begin = (container.start_time or 0) / av.time_base
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                ends = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                end = max(end, ends - begin)
    return end
