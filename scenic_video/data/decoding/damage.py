"""What a video promises and does not hold: a part that is missing, pictures that do not decode."""

import contextlib
import dataclasses
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from scenic_video.data.decoding.containers import Demuxer, Source, open_container

STATES_ITS_LENGTH = ("mov", "matroska", "avi", "flv")
"""Containers whose header says how long they are; others are as long as what is there."""
LIST_TIMES = ("mov", "avi")
"""Containers whose index says of every frame when it is shown."""
TOLERANCE = 0.5
"""Seconds by which a file may end before its index says: rounding, and audio that lasts longer."""
LONGEST_GAP = 1.0
"""Seconds without a picture that are no pause in a video of otherwise constant frame rate."""
STRETCHES = 3
STRETCH = 48
"""So many packets are decoded at so many places, where not all are."""
FEW = 0.02
"""A share of pictures that may fail: those that lean on what was cut off before the first."""


def damage_of(source: Source, *, name: str | None = None, decode_all: bool = False) -> str:
    """What is wrong with a video that opens, in a few words; "" where nothing is found.

    All of its packets are listed, and those of some stretches decoded, or all. Errors:
    UnreadableVideo.
    """
    with Demuxer(source, name=name) as demuxer:
        walk = _Walk(demuxer, _stated_seconds(demuxer), decode_all=decode_all)
        for packet in demuxer.packets():
            walk.take(packet)
        walk.finish()
    missing = walk.missing_end()
    if missing and walk.has_other_streams and walk.is_reached_by(_last_end(source)):
        missing = ""
    found = [walk.encryption(), missing, walk.gap(), walk.failures()]
    return "; ".join(words for words in found if words)


def is_encrypted(source: Source) -> bool:
    """Whether the file says of its video that a key is needed."""
    try:
        with Demuxer(source) as demuxer:
            first = next(iter(demuxer.packets()), None)
            return first is not None and first.has_sidedata("encryption_info")
    except (FFmpegError, ValueError):
        return False


@dataclasses.dataclass
class _Decoded:
    """How decoding went; packets that hold no shown picture are not counted."""

    packets: int = 0
    frames: int = 0
    corrupt: int = 0
    errors: int = 0


class _Walk:
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
        self._left = STRETCH
        self._stretch = 0

    def take(self, packet: av.Packet) -> None:
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
        """Whether the stated length may be that of another stream."""
        return self._num_streams > 1 and not self._states_own_length

    def is_reached_by(self, seconds: float) -> bool:
        """Whether a stream that ends there is as long as the file says."""
        return self._stated is None or self._stated - seconds <= TOLERANCE

    def missing_end(self) -> str:
        end = self._end * self._seconds
        if self.is_reached_by(end):
            return ""
        return f"ends at {end:.4g} s, its index says {self._stated:.4g} s"

    def gap(self) -> str:
        """A hole in a video whose other frames come evenly, as a broken part leaves it.

        Where an index lists the times of all frames, a long one is a pause.
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
        return f"has no pictures from {start:.4g} to {start + intervals[longest]:.4g} s"

    def failures(self) -> str:
        done = self._decoded
        failed = done.corrupt + done.errors
        if self._decode_all and self._context.name in ("h264", "hevc") and done.frames > 1:
            failed = max(failed, done.packets - done.frames)  # others have packets without picture
        is_half = abs(done.packets - 2 * done.frames) <= 2  # a packet a field, not a frame
        if failed <= FEW * done.packets or (is_half and not done.corrupt + done.errors):
            return f"{self._broken} packets are incomplete" if self._broken > 1 else ""
        looked = "" if self._decode_all else " that were decoded"
        return f"{failed} of {done.packets} pictures{looked} are damaged"

    def _is_due(self, packet: av.Packet) -> bool:
        """Whether all are decoded, or it lies in a stretch, which begins at a keyframe."""
        if self._decode_all or self._left > 0:
            self._left -= 1
            return True
        if self._left == 0:
            self.finish()
            self._left, self._stretch = -1, self._stretch + 1
        due = self._stretch / STRETCHES * (self._stated or 0.0)
        time = ((packet.pts or 0) - self._demuxer.origin) * self._seconds
        if self._stretch < STRETCHES and packet.is_keyframe and 0 < due <= time:
            self._left = STRETCH - 1
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
    """How long the video is by the file's header; None where none says it."""
    container = demuxer.stream.container
    assert isinstance(container, InputContainer)
    if not container.format.name.startswith(STATES_ITS_LENGTH):
        return None
    if container.format.name == "avi" and demuxer.stream.frames:  # its duration is a guess
        return demuxer.stream.frames * demuxer.ticks_per_frame * float(demuxer.time_base)
    if demuxer.stream.duration:
        return demuxer.stream.duration * float(demuxer.time_base)
    if not container.duration or container.format.name.startswith("mov"):
        return None  # of fragments, only what was read so far
    return container.duration / av.time_base


def _last_end(source: Source) -> float:
    """Seconds at which the last packet of any stream ends: a length may be that of the audio."""
    end = 0.0
    with open_container(source) as container, contextlib.suppress(FFmpegError):
        begin = (container.start_time or 0) / av.time_base
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                ends = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                end = max(end, ends - begin)
    return end
