"""Continuous timestamps for concatenated files, in which timestamps start again."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

STEP_BACK = 0.1
"""Seconds by which decoding times may go back without being a restart (jitter)."""

LEAP = 12 * 3600
"""Seconds without a packet that do not occur in recordings. FFmpeg interprets a large step back as
a wraparound of the clock (26.5 hours in MPEG), which results in such a leap."""


def running(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """The packets, with times that continue where the clock restarts.

    They are changed in place. The first packet after a restart follows the one before by the
    interval between that one and its predecessor.
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
