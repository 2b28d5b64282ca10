"""Public checkpoints and the logits that are stated for them."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from projects.vivit.model import SpatioTemporalAttention
from scenic_video.errors import UserError
from scenic_video.weights.families.family import Weights
from scenic_video.weights.reference import check_reference, shorter_side
from scenic_video.weights.registry.public_checkpoint import PublicCheckpoint, Reference
from tests.helpers.drawn import leaves, parameters

FIELDS: dict[str, Any] = {"hidden_size": 8, "mlp_dim": 8, "num_layers": 1, "num_heads": 2}
CLIP = np.random.default_rng(0).integers(0, 256, (4, 18, 30, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> SpatioTemporalAttention:
    return SpatioTemporalAttention(num_classes=3, tubelet_size=(2, 8, 8), **FIELDS)


@pytest.fixture(scope="module")
def weights(model) -> Weights:
    params = leaves(parameters(model, rgb=np.zeros((1, 4, 16, 16, 3), np.float32)))
    return Weights(
        family="a test",
        params={path: np.asarray(x) for path, x in params.items()},
        model={
            "target": "projects.vivit.model:SpatioTemporalAttention",
            "tubelet_size": (2, 8, 8),
            **FIELDS,
        },
        inputs={"rgb": (4, 16, 16)},
    )


@pytest.fixture
def checkpoint(tmp_path, weights, model) -> PublicCheckpoint:
    """Its reference clip is a file, whose frames are not resized."""
    np.save(tmp_path / "clip.npy", CLIP)
    pixels = CLIP[None, :, 1:17, 7:23].astype(np.float32) / 127.5 - 1
    variables = {"params": unflatten_dict(dict(weights.params), sep="/")}
    logits = np.asarray(model.apply(variables, rgb=jnp.asarray(pixels)))[0]
    reference = Reference(
        input=str(tmp_path / "clip.npy"),
        logits=tuple(map(float, logits[:2])),
        tolerance=1e-4,
        source="a test",
    )
    return PublicCheckpoint(
        name="a-test",
        publisher="nobody",
        address="https://example.org/weights",
        preprocessing={"num_frames": 4, "resize": 18, "crop": 16},
        reference=reference,
    )


def test_the_same_weights_give_the_stated_logits(checkpoint, weights):
    found = check_reference(checkpoint, weights)
    assert len(found.found) == 2 and found.largest < 1e-5


def test_other_weights_do_not(checkpoint, weights):
    params = {
        **weights.params,
        "output_projection/bias": weights.params["output_projection/bias"] + 1,
    }
    found = check_reference(checkpoint, dataclasses.replace(weights, params=params))
    assert found.largest > 1e-2


def test_without_a_reference_or_a_clip_it_is_one_error(checkpoint, weights, tmp_path):
    with pytest.raises(UserError, match="No reference logits of a-test are known"):
        check_reference(dataclasses.replace(checkpoint, reference=None), weights)
    assert checkpoint.reference is not None
    described = dataclasses.replace(checkpoint.reference, input="a clip of spaghetti")
    with pytest.raises(UserError, match="give it by --frames=FILE.npy"):
        check_reference(dataclasses.replace(checkpoint, reference=described), weights)
    np.save(tmp_path / "floats.npy", CLIP.astype(np.float32))
    with pytest.raises(UserError, match=r"must be uint8 \[frames, rows, columns, 3\]"):
        check_reference(checkpoint, weights, frames=tmp_path / "floats.npy")


def test_the_shorter_side_is_resized():
    assert shorter_side(CLIP, 18) is CLIP
    small = shorter_side(CLIP, 9)
    assert small.shape == (4, 9, 15, 3)
    np.testing.assert_allclose(small.mean(), CLIP.mean(), atol=1)
