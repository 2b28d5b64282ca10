"""Every cost that the ViViT paper prints, recomputed from the models."""

import json
from pathlib import Path
from typing import Any

import pytest

from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FactorisedSelfAttention,
    FrameAverage,
    SpatioTemporalAttention,
)
from scenic_video.layers.sizes import size
from scenic_video.runs.flops import forward_gflops, num_parameters

ROWS = json.loads((Path(__file__).parents[1] / "golden" / "vivit_flops.json").read_text())
MODELS = {
    1: SpatioTemporalAttention,
    2: FactorisedEncoder,
    3: FactorisedSelfAttention,
    4: FactorisedDotProduct,
    "avg": FrameAverage,
}


def model_of(config):
    height, width, time = config["tubelet"]
    fields: dict[str, Any] = size(config["size"])
    fields |= {"num_classes": config["ncls"], "tubelet_size": (time, height, width)}
    if config["Lt"]:
        fields["temporal_num_layers"] = config["Lt"]
    return MODELS[config["model"]](**fields)


def input_of(config):
    return {"rgb": (1, config["T"], config["crop"], config["crop"], 3)}


def last_digit(printed):
    """One unit of the last digit that the paper prints."""
    if not isinstance(printed, float):
        return 1.0
    if abs(printed * 12 - round(printed * 12, 2)) < 1e-6 and printed * 10 % 1 > 1e-6:
        return 10 / 12  # TFLOPs with two decimals, for twelve views
    return 0.1


@pytest.mark.parametrize("row", ROWS, ids=[row["row"] for row in ROWS])
def test_gflops_are_the_printed_ones(row):
    gflops = forward_gflops(model_of(row["config"]), **input_of(row["config"]))
    printed = row["paper_gflops"]
    exact = row["verdict"] == "EXACT"
    tolerance = last_digit(printed) / 2 if exact else 0.001 * printed
    assert abs(gflops - printed) <= tolerance
    assert abs(gflops - row["hlo_gflops"]) <= 0.006


@pytest.mark.parametrize("row", ROWS, ids=[row["row"] for row in ROWS])
def test_parameters_are_the_printed_ones(row):
    millions = num_parameters(model_of(row["config"]), **input_of(row["config"])) / 1e6
    assert abs(millions - row["params_m"]) <= 0.0051
    if row["paper_mparams"] is not None:
        # 88.95 is printed as 88.9, 115.06 as 115.1: the last digit is cut or rounded.
        assert abs(millions - row["paper_mparams"]) < last_digit(row["paper_mparams"])


def test_the_last_digit_of_a_printed_number():
    assert last_digit(455.2) == last_digit(88.9) == 0.1
    assert last_digit(1446) == 1.0
    assert last_digit(47.77e3 / 12) == 10 / 12


def test_neither_precision_nor_remat_changes_the_count():
    fields: dict[str, Any] = size("Ti") | {"num_classes": 10}
    shape = (1, 4, 32, 32, 3)
    plain = forward_gflops(SpatioTemporalAttention(**fields), rgb=shape)
    assert plain == forward_gflops(
        SpatioTemporalAttention(**fields, dtype="bfloat16", remat=True), rgb=shape
    )


def test_a_batch_costs_as_much_as_its_examples():
    model = SpatioTemporalAttention(**size("Ti"), num_classes=10)
    one = forward_gflops(model, rgb=(1, 4, 32, 32, 3))
    assert abs(forward_gflops(model, rgb=(3, 4, 32, 32, 3)) / one - 3) < 1e-3
