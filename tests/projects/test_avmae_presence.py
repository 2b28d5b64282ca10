"""What an example lacks has no influence on what the models make of it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.modalities import IN_PARAMETERS
from projects.avmae.model import MBT, PretrainedMBT
from projects.avmae.pretraining.model import AudiovisualMaskedAutoencoder

SIZE: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 16, "num_layers": 2, "num_heads": 2}
SIZE |= {"tubelet_size": (2, 8, 8)}
HEAD: dict[str, Any] = SIZE | {"num_classes": 5, "fusion_layer": 0, "num_bottlenecks": 2}
DECODER: dict[str, Any] = SIZE | {
    "decoder_hidden_size": 16,
    "decoder_mlp_dim": 16,
    "decoder_num_layers": 1,
    "decoder_num_heads": 2,
    "masking_rates": {"rgb": 0.5, "audio": 0.5},
    "fusion_layers": 1,
}
INPUTS = {
    "rgb": jax.random.normal(jax.random.key(0), (4, 2, 16, 16, 3)),
    "audio": jax.random.normal(jax.random.key(1), (4, 24, 8, 1)),
}
PRESENCE = {"rgb": jnp.array([1.0, 1, 0, 0]), "audio": jnp.array([1.0, 0, 1, 0])}
"""Both, frames alone, audio alone, and neither."""

CLASSIFIERS: dict[str, Any] = {
    "bottlenecks": MBT(**HEAD),
    "pooled": MBT(**HEAD, classifier="gap"),
    "maximum": MBT(**HEAD, classifier="gmp"),
    "all_tokens": MBT(**dict(HEAD, num_bottlenecks=0)),
    "shared": MBT(**dict(HEAD, num_bottlenecks=0), share_encoder=True, remat=True),
    "pretrained": PretrainedMBT(**HEAD, classifier="gap"),
}
AUTOENCODERS: dict[str, Any] = {
    "early": AudiovisualMaskedAutoencoder(**DECODER, encoder="early", decoder="early"),
    "mid": AudiovisualMaskedAutoencoder(**DECODER),
    "inpainting": AudiovisualMaskedAutoencoder(**DECODER, objective="inpainting"),
    "public": AudiovisualMaskedAutoencoder(**DECODER, objective="public_inpainting"),
}

MODELS = CLASSIFIERS | AUTOENCODERS
FIRST = ("bottlenecks", "pooled", "mid")
EACH = [pytest.param(name, marks=() if name in FIRST else pytest.mark.slow) for name in MODELS]


@functools.cache
def start(model):
    """Random parameters, without compiling `init`."""
    rngs = {"params": jax.random.key(0), "mask": jax.random.key(0)}
    shapes: Any = jax.eval_shape(lambda x: model.init(rngs, **x), INPUTS)
    numbers = np.random.default_rng(0)
    return jax.tree.map(
        lambda x: (0.5 * numbers.standard_normal(x.shape)).astype(np.float32), shapes["params"]
    )


def with_other_tokens(params, modality):
    """The parameters with others in the patch embedding of one modality."""
    own = f"embedding_{IN_PARAMETERS[modality]}"
    name = own if own in params else "embedding"
    return params | {name: jax.tree.map(lambda x: x[..., ::-1], params[name])}


@functools.cache
def compiled(model, train=False):
    rngs = {"mask": jax.random.key(3)}
    return jax.jit(
        lambda params, inputs, presence: model.apply(
            {"params": params}, **inputs, presence=presence, train=train, rngs=rngs
        )
    )


def scored(output, modality):
    """Logits, or what is scored of the reconstruction of a modality and zeros elsewhere."""
    if not isinstance(output, dict):
        return np.asarray(output)
    return np.asarray(output[modality].prediction * output[modality].mask[..., None])


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("name", EACH)
def test_what_stands_in_the_place_of_an_absent_modality_changes_nothing(name):
    """Neither other values, be they not even numbers, nor other tokens made from them."""
    model = MODELS[name]
    run, params = compiled(model), start(model)
    output = run(params, INPUTS, PRESENCE)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(output))
    nothing = {
        m: jnp.where(PRESENCE[m].reshape(-1, *(1,) * (x.ndim - 1)) > 0, x, jnp.nan)
        for m, x in INPUTS.items()
    }
    assert_same(run(params, nothing, PRESENCE), output)
    for index, lacks, has in ((1, "audio", "rgb"), (2, "rgb", "audio")):
        other = run(with_other_tokens(params, lacks), INPUTS, PRESENCE)
        before, after = scored(output, has), scored(other, has)
        assert_same(after[index], before[index])
        assert np.abs(after[0] - before[0]).max() > 1e-3


@pytest.mark.parametrize("name", EACH)
def test_where_all_is_there_presence_changes_nothing(name):
    model = MODELS[name]
    run, params = compiled(model), start(model)
    ones = {modality: jnp.ones(4) for modality in INPUTS}
    with_ones, without = run(params, INPUTS, ones), run(params, INPUTS, None)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), with_ones, without)
    first = jax.tree.map(lambda x: x[0], with_ones)
    assert_same(jax.tree.map(lambda x: x[0], run(params, INPUTS, PRESENCE)), first)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mid", {"rgb": [2, 2, 0, 0], "audio": [1, 0, 1, 0]}),
        pytest.param(
            "inpainting",
            {"rgb": [2, 0, 0, 0], "audio": [1, 0, 0, 0]},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_absent_is_not_scored_and_inpainting_takes_both(name, expected):
    output = compiled(AUTOENCODERS[name])(start(AUTOENCODERS[name]), INPUTS, PRESENCE)
    assert {m: x.mask.sum(axis=1).tolist() for m, x in output.items()} == expected


def test_without_audio_attention_over_all_tokens_is_that_of_frames_alone():
    model = CLASSIFIERS["all_tokens"]
    alone = model.clone(modalities=("rgb",))
    params = start(model)
    rgb = {"rgb": INPUTS["rgb"]}
    shapes: Any = jax.eval_shape(lambda x: alone.init(jax.random.key(0), **x), rgb)
    own = {name: params[name] for name in shapes["params"]}
    both = compiled(model)(params, INPUTS, PRESENCE)
    np.testing.assert_allclose(both[1], compiled(alone)(own, rgb, None)[1], atol=1e-5)


@pytest.mark.parametrize("name", [pytest.param("pretrained", marks=pytest.mark.slow), "pooled"])
def test_gradients_are_finite_and_none_reaches_what_is_absent(name):
    model = CLASSIFIERS[name]
    run, params = compiled(model), start(model)
    no_audio = PRESENCE | {"audio": jnp.zeros(4)}
    gradients = jax.grad(lambda p: (run(p, INPUTS, no_audio)[:3] ** 2).sum())(params)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradients))
    assert (gradients["embedding_spectrogram"]["kernel"] == 0).all()
    assert np.abs(gradients["embedding"]["kernel"]).max() > 0
