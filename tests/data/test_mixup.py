"""Tests of mixup against a recorded batch of the public implementation."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from scenic_video.data.mixup import mix_with_reversed, mixup

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "mixup.npz")
RNG = jax.random.key(0)


def some_batch(size=6):
    values = np.random.default_rng(0)
    return {
        "rgb": jnp.asarray(values.uniform(-1, 1, (size, 2, 3, 3, 3)), jnp.float32),
        "label": jax.nn.one_hot(jnp.arange(size), 7),
    }


def share_in(mixed):
    """The lambda of a batch whose example i has class i, read from its first label."""
    return mixed["label"][0, 0]


def test_mixed_batch_equals_the_recorded_one():
    tree = {"x": jnp.asarray(GOLDEN["mixup_in"]), "y": jnp.asarray(GOLDEN["mixup_label_in"])}
    mixed = mix_with_reversed(tree, jnp.asarray(GOLDEN["mixup_lambda"]))
    np.testing.assert_allclose(mixed["x"], GOLDEN["mixup_out"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mixed["y"], GOLDEN["mixup_label_out"], rtol=1e-6, atol=1e-6)


def test_inputs_and_labels_share_one_lambda():
    batch = some_batch()
    mixed = mixup(RNG, batch, 0.5)
    share = share_in(mixed)
    np.testing.assert_allclose(
        mixed["rgb"], share * batch["rgb"] + (1 - share) * batch["rgb"][::-1], atol=1e-6
    )
    np.testing.assert_allclose(mixed["label"].sum(axis=1), 1.0, atol=1e-6)


def test_lambda_is_beta_distributed():
    shares = np.asarray(
        jax.vmap(lambda rng: share_in(mixup(rng, some_batch(2), 0.4)))(jax.random.split(RNG, 4000))
    )
    assert abs(shares.mean() - 0.5) < 0.02
    assert abs(shares.var() - 1 / (4 * (2 * 0.4 + 1))) < 0.01  # variance of Beta(a, a)


def test_row_without_example_is_mixed_into_none():
    batch = some_batch(5)
    mask = jnp.asarray([1.0, 1.0, 1.0, 1.0, 0.0])
    poisoned = dict(batch, rgb=batch["rgb"].at[4].set(jnp.nan))
    mixed = mixup(RNG, poisoned, 0.5, mask=mask)
    assert np.isfinite(mixed["rgb"][:4]).all()
    np.testing.assert_array_equal(mixed["rgb"][0], batch["rgb"][0])
    np.testing.assert_array_equal(mixed["label"][0], batch["label"][0])
    whole = mixup(RNG, batch, 0.5)
    np.testing.assert_array_equal(mixed["rgb"][1:4], whole["rgb"][1:4])


def test_full_mask_changes_nothing():
    batch = some_batch()
    masked = mixup(RNG, batch, 0.5, mask=jnp.ones(6))
    jax.tree.map(np.testing.assert_array_equal, masked, mixup(RNG, batch, 0.5))


def test_batch_on_eight_devices_is_mixed_as_on_one():
    batch = some_batch(16)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    spread = jax.device_put(batch, NamedSharding(mesh, PartitionSpec("data")))
    mix = jax.jit(lambda tree: mixup(RNG, tree, 0.5))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), mix(spread), mix(batch))
    assert "all-gather" not in str(mix.lower(spread).compile().as_text())


@pytest.mark.parametrize(
    ("tree", "alpha", "message"),
    [
        ({"label": jnp.arange(4)}, 0.3, "one-hot"),
        ({"x": jnp.ones((4, 2))}, 0.0, "alpha > 0"),
        ({"x": jnp.ones((1, 2))}, 0.3, "batch of one"),
    ],
)
def test_what_cannot_be_mixed_is_refused(tree, alpha, message):
    with pytest.raises(ValueError, match=message):
        mixup(RNG, tree, alpha)
