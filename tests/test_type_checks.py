import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Optional

import numpy as np
import pytest
from annotated_types import Ge, Interval, Len

from scenic_video.field_types import Names, PositiveInt, Share
from scenic_video.type_checks import describe, fits


@pytest.mark.parametrize(
    "value, annotation",
    [
        (1, float),
        (np.float32(0.5), Share),
        (np.int64(3), PositiveInt),
        ([1, 2], tuple[int, int]),
        ((1, 2), Sequence[PositiveInt]),
        ([], Sequence[int]),
        (None, int | None),
        (len, Callable[..., Any]),
        ("a", Literal["a", "b"]),
        ({"rgb": 0.5}, Mapping[str, Share]),
        (np.bool_(True), bool),
        (object(), Any),
    ],
)
def test_what_an_annotation_wants_fits(value, annotation):
    assert fits(value, annotation)


@pytest.mark.parametrize(
    "value, annotation",
    [
        (True, int),
        (True, float),
        (1, bool),
        (1.0, int),
        (math.nan, float),
        (math.inf, Share),
        (10**400, float | int),
        ("ab", Sequence[str]),
        ([1, 2, 3], tuple[int, int]),
        ([1], Annotated[Sequence[int], Len(2, 2)]),
        (None, int),
        (3, Callable[..., Any]),
        ("c", Literal["a", "b"]),
        ({"rgb": 1.5}, Mapping[str, Share]),
        (-1, Annotated[int, Ge(0)]),
        (-1, PositiveInt | None),
    ],
)
def test_anything_else_does_not(value, annotation):
    assert not fits(value, annotation)


@pytest.mark.parametrize(
    "annotation, wanted",
    [
        (PositiveInt | None, "a whole number above 0 and at most 2147483647, or None"),
        (Share, "a number from 0 up and at most 1"),
        (Annotated[float, Interval(gt=0, lt=1)], "a number above 0 and below 1"),
        (Sequence[bool], "a sequence, each item True or False"),
        (Names, "a sequence of length 1 or more, each item text"),
        (
            Optional[Annotated[Sequence[str], Len(2, 2)]],  # noqa: UP045, of which "|" is no operator
            "a sequence of length 2, each item text, or None",
        ),
        (Literal["a", "b"], "'a' or 'b'"),
    ],
)
def test_what_is_wanted_is_described(annotation, wanted):
    assert describe(annotation) == wanted
