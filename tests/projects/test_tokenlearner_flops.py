"""Every cost that the TokenLearner paper prints, recomputed from the models."""

import json
from pathlib import Path
from typing import Any

import pytest

from projects.tokenlearner.model import PoolingViT, TokenLearnerViT, TokenLearnerViViT
from projects.vivit.model import ViT
from scenic_video.layers.sizes import size
from scenic_video.runs.flops import forward_gflops, num_parameters

pytestmark = pytest.mark.slow  # minutes, all together

ROWS = json.loads((Path(__file__).parents[1] / "golden" / "tokenlearner_flops.json").read_text())

# The rows by which the method is known, and one of each kind.
HEADLINES = (
    "ViT L/16 512",
    "L/16 24, 16-TL@12 (Tab4/5)",
    "L/16 24+11, 16-TL@12",
    "L/14 24+11, 16-TL@18",
    "ViViT-L/16 16at12",
    "B/16 8-TL@6 +Fuser",
    "L/10 24+11 params (JFT head)",
)
# What is printed there is not what these models cost, and why.
NOT_REPRODUCED = {
    "L/16 24, 16-TL@12 (Tab2/seed)": "178.1 in table 2, but 184.6 for the same in tables 4 and 5",
    "ViT B/32": "19.8 at no resolution near 384, where the rows of TokenLearner beside it fit",
}
# The paper names the pooling by its factor of width and height; only these windows fit its GFLOPs.
POOLING = {
    'pool "2x2 at 9 and 18"': {"pool_at": (9, 18), "pool_windows": (4, 2)},
    'pool "2x2 at 12 and 18"': {"pool_at": (12, 18), "pool_windows": (4, 2)},
    'pool "4x4 at 12"': {"pool_at": (12,), "pool_windows": (8,)},
}


def model_of(row):
    config = row["config"]
    patch = (config["patch"], config["patch"])
    fields: dict[str, Any] = size(config["size"]) | {"num_classes": config["ncls"]}
    fields["num_extra_layers"] = config["layers"] - fields["num_layers"]
    if not config["S"]:
        fields |= {"patch_size": patch, "classifier": "token" if config["cls"] else "gap"}
        assert fields.pop("num_extra_layers") == 0
        return (
            PoolingViT(**fields, **POOLING[row["row"]]) if row["row"] in POOLING else ViT(**fields)
        )
    fields |= {"num_tokens": config["S"], "token_learner_at": config["loc"]}
    fields |= {"token_learner": config["tl"], "token_fuser": config["fuser"]}
    fields["fuser_bottleneck_dim"] = None  # what the printed GFLOPs of the fuser fit
    if config["T"]:
        return TokenLearnerViViT(**fields, tubelet_size=(config["tubelet_t"], *patch))
    return TokenLearnerViT(**fields, patch_size=patch)


def input_of(row):
    config = row["config"]
    frames = (config["T"],) if config["T"] else ()
    return {"rgb": (1, *frames, config["res"], config["res"], 3)}


def last_digit(printed):
    return 0.1 if isinstance(printed, float) else 1.0


def rows(fast):
    """All rows; those that `fast` does not pick run with the slow tests."""
    slow = [() if fast(row) else pytest.mark.slow for row in ROWS]
    return [pytest.param(r, id=r["row"], marks=m) for r, m in zip(ROWS, slow, strict=True)]


@pytest.mark.parametrize("row", rows(fast=lambda row: row["row"] in HEADLINES))
def test_gflops_and_parameters_are_the_printed_ones(row):
    if row["paper_gflops"] is not None:
        check_gflops(row, round(forward_gflops(model_of(row), **input_of(row)), 2))
    if row["paper_mparams"] is not None:
        millions = num_parameters(model_of(row), **input_of(row)) / 1e6
        assert abs(millions - row["params_m"]) <= 0.0051
        assert abs(millions - row["paper_mparams"]) < last_digit(row["paper_mparams"])


def check_gflops(row, gflops):
    printed, verdict = row["paper_gflops"], row["verdict"]
    assert abs(gflops - row["hlo_gflops"]) <= 1e-4 * gflops + 0.005
    if row["row"] in NOT_REPRODUCED:
        assert verdict == "NO" and abs(gflops - printed) > 0.03 * printed
        return
    half = last_digit(printed) / 2 + 1e-6
    tolerance = {"EXACT": half, "match": 0.005 * printed, "close": 0.02 * printed}
    assert abs(gflops - printed) <= tolerance[verdict]


def test_every_row_without_a_match_is_explained():
    assert {row["row"] for row in ROWS if row["verdict"] == "NO"} == {*NOT_REPRODUCED}
