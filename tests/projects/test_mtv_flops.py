"""What multiview transformers cost: the paper's numbers where they can be had, else those of the
public implementation, and how far apart the two are.

Rows with cross-view attention (CVA) cannot be had: the paper prints more than the released block
costs. Its table 1(f) gives one fusion layer of B/4+S/8+Ti/16 about 7.4 GFLOPs and 8.5 M
parameters; the released one costs 1.9 and 1.1 (or 3.7 and 2.2 in key-value sizes). The printed
architecture has never been published, so those rows are held to the released code. The rows of
the paper's SlowFast baseline are of another model, and not here.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from projects.mtv.model import MTV
from projects.mtv.views import parse_views
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention
from scenic_video.runs.flops import forward_gflops, num_parameters

pytestmark = pytest.mark.slow  # minutes, all together

ROWS = json.loads((Path(__file__).parents[1] / "golden" / "mtv_flops.json").read_text())
FUSIONS = {"cva": CrossViewAttention, "bottleneck": Bottleneck}

# Row -> percent by which the released code lies off the printed GFLOPs, and off the parameters.
DEVIATIONS: dict[str, tuple[float, float | None]] = {
    "B4+S8+Ti16 CVA x1": (-2.69, -2.33),
    "B4+S8+Ti16 CVA x2": (-5.61, -4.71),
    "B4+S8+Ti16 CVA x3": (-7.87, -6.68),
    "MTV-B B2+S4+Ti8 CVA x1": (-2.9, -2.21),
    "MTV-B CVA x2 (released cfg)": (-5.66, None),
    "MTV-B 320p CVA x2": (-5.41, None),
    "B4+Ti16 CVA x1": (-1.02, -5.7),
    "B2+Ti8 CVA x1": (-2.72, -5.48),
    # B/8 costs 74 and Ti/2 29 by themselves: the printed 81 is impossible at 32 frames.
    "B8+Ti2 CVA x1": (33.38, 32.07),
    "B8+S4+Ti2 CVA x1": (-24.75, 22.77),
    "B4+B8+B16 CVA x1": (-11.78, -7.41),
    "B2+B8 CVA x1": (-10.27, -12.68),
    "B2+B4+B8 CVA x1": (-12.06, -7.52),
    "MTV-L CVA (11,23)": (-5.2, None),
    "MTV-H CVA x2": (-4.79, None),
    "MTV-H 280p CVA x2": (-0.13, None),  # by accident: 224 pixels are 4.8 % off
}
NAMES = [row["row"] for row in ROWS]
FAST = ("B/4", "B4+S8+Ti16 bottleneck (5,11)", "B4+Ti16 CVA x1")


def model_of(config):
    views = parse_views(config["views"])
    if config["depth"]:
        views = [dataclasses.replace(view, num_layers=config["depth"]) for view in views]
    fusion = FUSIONS.get(config["fusion"])
    globally: Any = config["global_encoder"]
    return MTV(
        num_classes=400,
        views=views,
        fusion=fusion(layers=config["fusion_layers"]) if fusion else None,
        global_num_layers=globally["layers"],
        global_mlp_dim=globally["mlp"],
        global_num_heads=globally["heads"],
    )


def input_of(config):
    return {"rgb": (1, config["T"], config["crop"], config["crop"], 3)}


def slow(row):
    return pytest.param(row, marks=pytest.mark.slow)


def is_printed_as(printed, value):
    """The last digit is cut or rounded: 187.90 is printed as 187, 305.57 as 306."""
    return printed in (int(value), round(value))


def off_by(value, printed):
    """Percent by which a value lies above a printed one."""
    return 100 * (value / printed - 1)


@pytest.mark.parametrize(
    "row", [row if row["row"] in FAST else slow(row) for row in ROWS], ids=NAMES
)
def test_costs_are_the_printed_ones_or_those_of_the_public_implementation(row):
    model, inputs = model_of(row["config"]), input_of(row["config"])
    gflops = forward_gflops(model, **inputs)
    millions = num_parameters(model, **inputs) / 1e6
    assert gflops == pytest.approx(row["hlo_gflops"], abs=0.006)
    assert millions == pytest.approx(row["params_m"], abs=0.0051)
    if row["row"] not in DEVIATIONS:
        assert is_printed_as(row["paper_gflops"], gflops)
        printed = row["paper_mparams"]
        if printed is not None and row["row"] != "S/8":  # 59.36 M, printed as 60
            assert is_printed_as(printed, millions)


def test_deviations_from_the_paper_are_those_listed():
    listed = {row["row"]: row for row in ROWS if row["config"]["fusion"] == "cva"}
    assert listed.keys() == DEVIATIONS.keys()
    for name, (gflops, parameters) in DEVIATIONS.items():
        row = listed[name]
        assert off_by(row["hlo_gflops"], row["paper_gflops"]) == pytest.approx(gflops, abs=0.02)
        if parameters is None:
            assert row["paper_mparams"] is None
        else:
            assert off_by(row["params_m"], row["paper_mparams"]) == pytest.approx(
                parameters, abs=0.02
            )
