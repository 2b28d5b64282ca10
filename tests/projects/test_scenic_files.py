"""Files of Scenic's own models, as its training writes them, against the public outputs."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video.config import build
from scenic_video.weights.families.family import Weights, installed_families
from scenic_video.weights.reading import read_weights
from tests.helpers.golden import Case, assert_close, read_case
from tests.helpers.scenic_files import new_layout, old_layout
from tests.projects.test_avmae import MODELS as AUTOENCODERS
from tests.projects.test_avmae_finetuning import FINE_TUNED
from tests.projects.test_mbt import MODELS as MBT
from tests.projects.test_mtv import MODELS as MTV
from tests.projects.test_tokenlearner import MODELS as TOKENLEARNER
from tests.projects.test_vivit import MODELS as VIVIT

MODELS: dict[str, Any] = {
    **VIVIT, **MTV, **TOKENLEARNER, **MBT, **AUTOENCODERS, **FINE_TUNED,
}  # fmt: skip
MODELS["mbt_rgb_only"] = VIVIT["vivit_joint_token"].clone(num_layers=4)
"""Of video alone, MBT is a ViViT."""

NOT_SHOWN: dict[str, dict[str, Any]] = {
    "vivit_fdpa": {"target": "projects.vivit.model:FactorisedDotProduct"},
    "vivit_fsa_space_time": {"attention_order": "space_time"},
    "tokenlearner_image_v1": {"token_learner_at": 2},
    "tokenlearner_image_v11": {"token_learner_at": 2},
    "tokenlearner_video_v11": {"token_learner_at": 2},
    "mbt_late": {"fusion_layer": 4},
    "mae_video_random_sincos1d_none": {"masking_rate": 0.75},
    "mae_video_tube_sincos1d_none": {"masking_rate": 0.75, "masking": "tube"},
    "avmae_early_earlydec": {"decoder": "early"},
    "avmae_shared_shareddec": {"encoder": "shared"},
    "avmae_inpainting_mid_shareddec": {"objective": "public_inpainting"},
}
"""Fields of the models that neither names nor shapes of their parameters show."""

UNUSED = {"fusion_layers"}
"""Fields that most models do not use, and that a file then does not show."""

FAST = ("vivit_fe_token", "mtv_cva_3view_token", "mbt_bottleneck_token", "mae_finetune_video_gap")
"""Whose outputs every run of the tests compares; the others are slow tests."""


def read_as_file(name: str, folder: Path) -> tuple[Case, Weights]:
    """The golden `name`, and its parameters from a file of Scenic."""
    case = read_case(name)
    old_layout(folder / "checkpoint", flatten_dict(case.params, sep="/"))
    return case, read_weights(folder / "checkpoint")


def model_of(weights: Weights, name: str) -> Any:
    """The model of a file, with the fields that it cannot show."""
    node = dict(weights.model or {}) | NOT_SHOWN.get(name, {})
    return build(node) if name in AUTOENCODERS else build(node, num_classes=10)


def fields_of(model: Any) -> dict[str, Any]:
    return {name: x for name, x in vars(model).items() if name not in UNUSED and name[0] != "_"}


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for path, array in expected.items():
        np.testing.assert_array_equal(found[path], array)


@pytest.mark.parametrize("name", MODELS)
def test_a_file_is_read_as_the_model_of_its_golden_and_written_back(name, tmp_path):
    case, weights = read_as_file(name, tmp_path)
    params: Any = flatten_dict(case.params, sep="/")
    assert not weights.rest and not weights.dropped
    assert_equal(dict(weights.params), params)
    model = model_of(weights, name)
    assert type(model) is type(MODELS[name])
    assert fields_of(model) == fields_of(MODELS[name])
    (family,) = [x for x in installed_families() if x.matches(weights.params)]
    assert family.name == weights.family
    leaves, _ = family.write(weights)
    new_layout(tmp_path / "written", leaves)
    assert_equal(dict(read_weights(tmp_path / "written").params), params)


@pytest.mark.parametrize(
    "name",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in MODELS],
)
def test_a_file_gives_the_public_outputs(name, tmp_path):
    case, weights = read_as_file(name, tmp_path)
    modality = getattr(MODELS[name], "modality", "rgb")
    inputs = {path.removeprefix("input/"): x for path, x in case.inputs.items()}
    inputs = {modality if path == "input" else path: x for path, x in inputs.items()}
    model, how = model_of(weights, name), {"encode_only": True} if name in AUTOENCODERS else {}
    params: Any = unflatten_dict(dict(weights.params), sep="/")
    output = jax.jit(lambda params, x: model.apply({"params": params}, **x, **how))(params, inputs)
    if name not in AUTOENCODERS:
        return assert_close(output, case.outputs["output"])
    for modality, tokens in output.items():
        path = "output/0" if "output/0" in case.outputs else f"output/0/{modality}"
        expected = case.outputs[path]
        assert_close(tokens[..., : expected.shape[-1]], expected)
