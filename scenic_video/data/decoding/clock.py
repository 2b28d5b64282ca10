"""One clock that runs forward, for streams whose own begins anew where files were joined."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

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
    shift, step, last, back, leap = 0, 0, None, 0, 0
    for packet in packets:
        dts = packet.dts
        if dts is not None:
            dts += shift
            if last is None:
                time_base = packet.time_base or Fraction(1, 1000)
                back, leap = -int(STEP_BACK / time_base), int(LEAP / time_base)
            elif not back <= dts - last <= leap:
                shift += last + step - dts
                dts = last + step
            elif dts > last:
                step = dts - last
            last = dts
        if shift:
            packet.dts = dts
            packet.pts = None if packet.pts is None else packet.pts + shift
        yield packet
