"""One clock that runs forward, for streams whose own begins anew where files were joined."""

from collections.abc import Iterable, Iterator

import av

STEP_BACK = 0.1
"""Seconds by which decoding times may go back, as jitter, before that is a new beginning."""

LEAP = 12 * 3600
"""Seconds without a packet that no recording has: FFmpeg takes a step far back for a full circle
of the clock, of 26.5 hours in MPEG, and makes it such a leap."""


def running(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """The packets, with times that go on where their clock begins anew.

    They are changed in place. The first packet of a new beginning follows the last one before it
    by as much as that followed its own predecessor.
    """
    shift, step, last = 0, 0, None
    for packet in packets:
        if packet.dts is not None and packet.time_base is not None:
            seconds = 0.0 if last is None else float((packet.dts + shift - last) * packet.time_base)
            if last is not None and not -STEP_BACK <= seconds <= LEAP:
                shift = last + step - packet.dts
            packet.dts += shift
            step = step if last is None or packet.dts <= last else packet.dts - last
            last = packet.dts
        if shift and packet.pts is not None:
            packet.pts += shift
        yield packet
