"""A linear probe learns a head on features that it leaves as they are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.model import PretrainedMBT

SIZE: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 16, "num_layers": 1, "num_heads": 2}
SIZE |= {"num_classes": 3, "classifier": "gap", "linear_probe": True}
CLIPS = jax.random.normal(jax.random.key(0), (8, 2, 16, 16, 3))
AUDIO = jax.random.normal(jax.random.key(1), (8, 16, 8, 1))


def start(model, **inputs):
    """Random parameters, and the statistics with which a model begins."""
    shapes: Any = jax.eval_shape(lambda x: model.init(jax.random.key(0), **x), inputs)
    numbers = np.random.default_rng(0)
    params = jax.tree.map(
        lambda x: (0.5 * numbers.standard_normal(x.shape)).astype(np.float32), shapes["params"]
    )
    ((name, norm),) = shapes["batch_stats"].items()
    assert name == "BatchNorm_0" and name not in params
    return params, {name: {"mean": jnp.zeros(norm["mean"].shape), "var": jnp.ones(16)}}


def trained(model, params, stats, **inputs):
    """What a step of training sees: its output, and the statistics it leaves."""

    @jax.jit
    def apply(params):
        variables = {"params": params, "batch_stats": stats}
        mutable = ["batch_stats", "intermediates"]
        return model.apply(variables, **inputs, train=True, mutable=mutable)

    return apply(params)


def test_only_the_head_gets_gradients():
    model = PretrainedViT(**SIZE, patch_size=(2, 8, 8))
    params, stats = start(model, rgb=CLIPS)

    def loss(params):
        return (trained(model, params, stats, rgb=CLIPS)[0][:, 0] ** 2).sum()

    gradients = jax.grad(loss)(params)
    for name, part in gradients.items():
        largest = max(np.abs(x).max() for x in jax.tree.leaves(part))
        assert (largest > 0) == (name == "output_projection")


def test_features_are_normalised_by_the_batch_in_training_and_by_its_average_afterwards():
    model = PretrainedViT(**SIZE, patch_size=(2, 8, 8))
    params, stats = start(model, rgb=CLIPS)
    logits, state = trained(model, params, stats, rgb=CLIPS)
    features = np.asarray(state["intermediates"]["features"][0])
    kernel, bias = params["output_projection"]["kernel"], params["output_projection"]["bias"]
    normal = (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0) + 1e-6)
    np.testing.assert_allclose(logits, normal @ kernel + bias[None], atol=1e-4)
    kept = state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(kept["mean"], 0.1 * features.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(kept["var"], 0.9 + 0.1 * features.var(axis=0), atol=1e-5)
    variables = {"params": params, "batch_stats": state["batch_stats"]}
    evaluated = jax.jit(model.apply)(variables, rgb=CLIPS)
    normal = (features - kept["mean"][None]) / np.sqrt(kept["var"][None] + 1e-6)
    np.testing.assert_allclose(evaluated, normal @ kernel + bias[None], atol=1e-4)


def test_the_statistics_are_those_of_the_modalities_that_are_there():
    model = PretrainedMBT(
        **SIZE, tubelet_size=(2, 8, 8), modalities=("rgb", "audio"), fusion_layer=1
    )
    inputs = {"rgb": CLIPS, "audio": AUDIO}
    params, stats = start(model, **inputs)
    no_audio = {"rgb": jnp.ones(8), "audio": jnp.zeros(8)}
    logits, state = trained(model, params, stats, **inputs, presence=no_audio)
    features = np.asarray(state["intermediates"]["features"][0])
    kept = state["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(kept, 0.1 * features.mean(axis=0), atol=1e-5)
    assert logits.keys() == {"rgb", "audio"}
