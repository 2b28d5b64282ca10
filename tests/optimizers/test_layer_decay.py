import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video import optimizers
from scenic_video.config import build
from scenic_video.layers.layer_order import EncoderLayers, layers_after
from scenic_video.optimizers.layer_decay import layer_scales

PUBLIC = json.loads((Path(__file__).parents[1] / "golden/layer_decay.json").read_text())


def tree(paths):
    return unflatten_dict({path: jnp.ones(2) for path in paths}, sep="/")


def of_mbt(path):
    before = "^(embedding|cls|Encoder_modality_token)|posembed_input"
    encoder = EncoderLayers(PUBLIC["num_layers"], r"encoderblock_(\d+)", before)
    return layers_after(path, [encoder], "encoder_norm|bottleneck|output_projection")


@pytest.mark.parametrize("make", [optimizers.sgd, optimizers.adamw])
def test_rates_by_layer_are_the_public_ones(make):
    params, scales = tree(PUBLIC["assignment"]), PUBLIC["scales_by_layer_id"]
    steps = []
    for decay in (1.0, PUBLIC["layer_decay"]):
        optimizer = make(learning_rate=0.1, layer_decay=decay, layers_after=of_mbt)
        updates, _ = optimizer.update(params, optimizer.init(params), params)
        steps.append(flatten_dict(updates, sep="/"))
    for path, layer in PUBLIC["assignment"].items():
        np.testing.assert_allclose(steps[1][path], scales[layer] * steps[0][path], rtol=1e-4)


def test_layers_count_whether_they_are_trained_or_not():
    params = tree([f"Transformer/encoderblock_{layer}/x" for layer in range(2)])
    scales = layer_scales(params, 0.5, of_mbt)["Transformer"]
    assert scales == {"encoderblock_0": {"x": 0.5**4}, "encoderblock_1": {"x": 0.5**3}}


def test_encoders_that_follow_one_another_count_their_layers_on():
    encoders = [
        EncoderLayers(3, r"^space/block_(\d)", "^embedding"),
        EncoderLayers(2, r"^time/block_(\d)", "^time/positions"),
    ]
    paths = ["embedding", "space/block_0/x", "space/block_2/x", "time/positions"]
    paths += ["time/block_0/x", "time/block_1/x", "head/kernel", "elsewhere"]
    found = [layers_after(path, encoders, "^head/") for path in paths]
    assert found == [6, 5, 3, 3, 2, 1, 0, None]


def test_a_parameter_in_no_layer_is_an_error_that_names_it():
    params = tree(["Transformer/encoderblock_0/x", "adapter/kernel"])
    optimizer = optimizers.sgd(learning_rate=1.0, layer_decay=0.5, layers_after=of_mbt)
    with pytest.raises(ValueError, match="1 of 2 parameters are in no layer .*: adapter/kernel"):
        optimizer.init(params)


def test_a_config_lists_the_layers_of_a_model_that_does_not():
    params = tree(["stem/kernel", "body_0/kernel", "body_1/kernel", "head/kernel"])
    decay = {"target": "scenic_video.optimizers:LayerDecay", "factor": 0.5}
    decay |= {"layers": ["^stem/", "^body_0/", "^body_1/", "^head/"]}
    node = {"target": "scenic_video.optimizers:sgd", "layer_decay": decay}
    optimizer = build(node, learning_rate=1.0)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    flat: Any = flatten_dict(updates, sep="/")
    found = {path.split("/")[0]: -float(x[0]) for path, x in flat.items()}
    assert found == {"stem": 0.125, "body_0": 0.25, "body_1": 0.5, "head": 1.0}
    with pytest.raises(ValueError, match="1 of 1 parameters are in no layer .*: adapter/kernel"):
        optimizer.init(tree(["adapter/kernel"]))


def test_without_rates_by_layer_parameters_may_be_in_no_layer():
    params = tree(["adapter/kernel"])
    assert jax.tree.leaves(optimizers.sgd(learning_rate=1.0).init(params))
