"""Families of Scenic's models at full size, by their parameters alone."""

from typing import Any

import numpy as np
import pytest

from scenic_video.config import build
from scenic_video.weights.families.family import installed_families, recognise
from tests.helpers.golden import read_trees, shapes_of
from tests.projects.test_avmae import TREES as AUTOENCODERS
from tests.projects.test_avmae_finetuning import TREES as FINE_TUNED
from tests.projects.test_mbt import TREES as MBT
from tests.projects.test_mtv import TREES as MTV
from tests.projects.test_scenic_files import fields_of
from tests.projects.test_tokenlearner import TREES as TOKENLEARNER
from tests.projects.test_vivit import TREES as VIVIT

TREES: dict[str, Any] = {**VIVIT, **MTV, **TOKENLEARNER, **MBT, **AUTOENCODERS, **FINE_TUNED}
PROJECTS = ("vivit", "mtv", "tokenlearner", "mbt", "mae")

NOT_SHOWN: dict[str, dict[str, Any]] = {
    "vivit_b16x2_fdpa": {"target": "projects.vivit.model:FactorisedDotProduct"},
    "vivit_b16x2_fsa_space_time": {"attention_order": "space_time"},
    "tokenlearner_b16_v11_loc6_8tok": {"token_learner_at": 6},
    "mbt_b16x2_late_fusion": {"fusion_layer": 12},
    "mbt_b16x2_shared_encoder_early": {"fusion_layer": 0},
    "mae_vivit_b16x2_pretrain": {"masking": "tube"},
    "mae_vivit_l16x2_pretrain": {"masking": "tube"},
    "mae_vit_b16_pretrain": {"masking_rate": 0.9},
    "mae_vit_l16_pretrain": {"masking_rate": 0.9},
}
NOT_SHOWN |= {
    name: {field: getattr(model, field) for field in ("encoder", "decoder")}
    for name, model in AUTOENCODERS.items()
    if "same_encoder" in name or "concat_and_decode" in name
}
"""Fields of the models that neither names nor shapes of their parameters show."""

EQUAL = {
    "mbt_b16x2_rgb_only": VIVIT["vivit_b16x2_joint_gap"].clone(num_classes=527),
    **{
        f"mae_vit_{size}_finetune": VIVIT[f"vit_{size}_token_in1k"].clone(positions="sinusoidal")
        for size in ("b16", "l16")
    },
}
"""Models with the same parameters that compute the same: a file is read as the second."""

FAST = ("vivit_b16x2_fe", "mtv_b2s4ti8_cva_k400", "avmae_mbt_b16x2_finetune_as527")


def zeros(tree: dict[str, Any]) -> dict[str, Any]:
    """Arrays of these shapes that take no memory."""
    return {path: np.broadcast_to(np.float32(0), shape) for path, shape in tree.items()}


def inputs_of(name: str) -> dict[str, Any]:
    (case,) = [trees[name] for trees in map(read_trees, PROJECTS) if name in trees]
    return case["input"] if isinstance(case["input"], dict) else {"rgb": case["input"]}


@pytest.mark.parametrize(
    "name", [x if x in FAST else pytest.param(x, marks=pytest.mark.slow) for x in TREES]
)
def test_a_full_size_model_is_that_of_its_parameters(name):
    inputs = inputs_of(name)
    leaves = zeros(shapes_of(TREES[name], **inputs))
    weights = recognise(leaves, installed_families()).read(leaves, {})
    expected = EQUAL.get(name, TREES[name])
    node = dict(weights.model or {}) | NOT_SHOWN.get(name, {})
    model = build(node) if name in AUTOENCODERS else build(node, num_classes=expected.num_classes)
    assert not weights.rest and type(model) is type(expected)
    assert fields_of(model) == fields_of(expected)
    for modality, size in weights.inputs.items():
        axes = inputs[modality][1:-1]
        assert tuple(size[-len(axes) :]) == tuple(axes)
