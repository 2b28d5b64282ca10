"""Types for the fields of constructors, with the ranges of their numbers.

`scenic_video.config.build` checks every field of a config against its annotation; see
`type_checks`.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Len, MinLen

INT32_MAX = 2**31 - 1

Number = float | int

PositiveInt = Annotated[int, Interval(ge=1, le=INT32_MAX)]
"""Steps and indices have 32 bits on devices."""

Count = Annotated[int, Interval(ge=0, le=INT32_MAX)]

Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]

Positive = Annotated[float | int, Gt(0)]

NonNegative = Annotated[float | int, Ge(0)]

Seconds = Positive

Share = Annotated[float | int, Interval(ge=0, le=1)]

PositiveShare = Annotated[float | int, Interval(gt=0, le=1)]

ShareBelowOne = Annotated[float | int, Interval(ge=0, lt=1)]
"""The probability of dropping something, or a decay; with 1 nothing would be left."""

InnerShare = Annotated[float | int, Interval(gt=0, lt=1)]

Names = Annotated[Sequence[str], MinLen(1)]

Extents = Annotated[Sequence[PositiveInt], MinLen(1)]
"""The size of a patch, tubelet or grid along each of its axes."""

Pair = Annotated[Sequence[PositiveInt], Len(2, 2)]

Triple = Annotated[Sequence[PositiveInt], Len(3, 3)]

PairOrTriple = Annotated[Sequence[PositiveInt], Len(2, 3)]

AxisSize = Annotated[int, Interval(ge=-1, le=INT32_MAX)]
"""The number of devices along an axis of the mesh; -1 for all remaining devices."""

ComputeDtype = Literal["float32", "bfloat16"]
"""The type of matrix products; parameters are float32."""

Crf = Annotated[int, Interval(ge=0, le=51)]
"""The quality of H.264, from lossless (0) to worst (51)."""
