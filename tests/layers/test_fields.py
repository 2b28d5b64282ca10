"""A field that says nothing, or what cannot be, is an error as a model is made."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from scenic_video.field_types import ShareBelowOne
from scenic_video.layers.fields import (
    check_shared_fields,
    refuse_unused,
    require_one_of,
)


@dataclasses.dataclass
class Fields:
    dtype: Any = "float32"
    attention_implementation: str = "auto"
    stochastic_depth_rate: ShareBelowOne = 0.0
    mode: str = "sum"
    width: int | None = 8


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", np.float32, np.dtype("float32")])
def test_a_dtype_goes_by_its_name(dtype):
    check_shared_fields(Fields(dtype=dtype))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dtype": "float64"}, "Fields: dtype is 'float64', not one of"),
        ({"dtype": "half a float"}, "dtype is 'half a float'"),
        ({"attention_implementation": "flash"}, "'xla', 'cudnn'"),
        ({"stochastic_depth_rate": 1.0}, "stochastic_depth_rate is 1.0; wanted .* below 1"),
        ({"stochastic_depth_rate": -0.1}, "is -0.1"),
        ({"stochastic_depth_rate": "0.1"}, "is '0.1'"),
    ],
)
def test_what_models_share_is_checked_alike(fields, message):
    with pytest.raises(ValueError, match=message):
        check_shared_fields(Fields(**fields))


def test_a_choice_is_one_of_those_known():
    require_one_of(Fields(), "mode", ("sum", "mean"))
    with pytest.raises(ValueError, match=r"Fields: mode is 'max', not one of \('sum', 'mean'\)"):
        require_one_of(Fields(mode="max"), "mode", ["sum", "mean"])


def test_a_field_that_nothing_reads_may_be_left_out_alone():
    for fields in (Fields(), Fields(width=None), Fields(width=9, mode="mean")):
        refuse_unused(fields, "width", mode="mean")
    with pytest.raises(ValueError, match="Leave width out, or set mode='mean'"):
        refuse_unused(Fields(width=9), "width", mode="mean")
