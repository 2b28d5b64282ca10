"""Tests of mixup and CutMix; mixup against a recorded batch of the public implementation."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from scenic_video.tasks.mixup import (
    Mixing,
    kept_by_box,
    mix_examples,
    mix_with_reversed,
    sample_shares,
)

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "mixup.npz")
RNG = jax.random.key(0)
MIXUP_OR_CUTMIX = Mixing(mixup_alpha=0.8, cutmix_alpha=1.0)


def some_inputs(size=6):
    values = np.random.default_rng(0)
    shapes = {"rgb": (size, 2, 6, 6, 3), "audio": (size, 8, 4, 1)}
    return {
        name: jnp.asarray(values.uniform(-1, 1, shape), jnp.float32)
        for name, shape in shapes.items()
    }


def some_targets(size=6):
    """Example i has class i, so a mixed label shows what it was mixed from."""
    return {"action": jax.nn.one_hot(jnp.arange(size), size)}


def all_present(size=6):
    return {"rgb": jnp.ones(size), "audio": jnp.ones(size)}


def mix(inputs=None, *, presence=None, rng=RNG, size=6, **options):
    inputs = some_inputs(size) if inputs is None else inputs
    presence = all_present(size) if presence is None else presence
    options = options or {"mixup_alpha": 0.5}
    return mix_examples(rng, inputs, some_targets(size), Mixing(**options), presence=presence)


def own_share(labels, modality):
    """How much of its own label the first example keeps."""
    return float(labels[modality]["action"][0, 0])


def blend(x, share):
    return share * x + (1 - share) * x[::-1]


def test_mixed_batch_equals_the_recorded_one():
    tree = {"x": jnp.asarray(GOLDEN["mixup_in"]), "y": jnp.asarray(GOLDEN["mixup_label_in"])}
    mixed = mix_with_reversed(tree, jnp.asarray(GOLDEN["mixup_lambda"]))
    np.testing.assert_allclose(mixed["x"], GOLDEN["mixup_out"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mixed["y"], GOLDEN["mixup_label_out"], rtol=1e-6, atol=1e-6)


def test_all_modalities_and_their_labels_share_one_lambda():
    mixed, labels = mix()
    share = own_share(labels, "rgb")
    assert 0 < share < 1
    assert own_share(labels, "audio") == share
    for name, x in some_inputs().items():
        np.testing.assert_allclose(mixed[name], blend(x, share), atol=1e-6)
        np.testing.assert_allclose(labels[name]["action"].sum(axis=1), 1.0, atol=1e-6)


def test_modalities_with_a_lambda_each_have_labels_that_tell_it():
    mixed, labels = mix(mixup_alpha=0.5, mixmod=True)
    shares = {name: own_share(labels, name) for name in mixed}
    assert shares["rgb"] != pytest.approx(shares["audio"], abs=1e-3)
    for name, x in some_inputs().items():
        np.testing.assert_allclose(mixed[name], blend(x, shares[name]), atol=1e-6)


def test_lambda_is_beta_distributed():
    draw = jax.vmap(lambda rng: sample_shares(rng, (2, 4), Mixing(mixup_alpha=0.4)).label)
    shares = np.asarray(draw(jax.random.split(RNG, 4000)))
    assert abs(shares.mean() - 0.5) < 0.02
    assert abs(shares.var() - 1 / (4 * (2 * 0.4 + 1))) < 0.01  # variance of Beta(a, a)


def test_row_without_example_is_mixed_into_none():
    mask = jnp.asarray([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    inputs = some_inputs()
    poisoned = {name: x.at[5].set(jnp.nan) for name, x in inputs.items()}
    mixed, labels = mix(poisoned, presence={name: mask for name in inputs})
    whole, _ = mix()
    for name, x in inputs.items():
        np.testing.assert_array_equal(mixed[name][0], x[0])
        assert own_share(labels, name) == 1.0
        np.testing.assert_array_equal(mixed[name][1:5], whole[name][1:5])


def test_what_a_partner_lacks_is_mixed_neither_in_nor_into_the_label():
    inputs = some_inputs()
    poisoned = inputs | {"audio": inputs["audio"].at[5].set(jnp.nan)}
    presence = all_present() | {"audio": jnp.ones(6).at[5].set(0.0)}
    mixed, labels = mix(poisoned, presence=presence)
    np.testing.assert_array_equal(mixed["audio"][0], inputs["audio"][0])
    assert own_share(labels, "audio") == 1.0
    assert 0 < own_share(labels, "rgb") < 1
    np.testing.assert_allclose(
        mixed["rgb"], blend(inputs["rgb"], own_share(labels, "rgb")), atol=1e-6
    )


@pytest.mark.parametrize("shape", [(4, 3, 20, 30, 3), (4, 20, 30, 1)])
def test_cutmix_puts_one_box_of_the_partner_into_all_frames(shape):
    kept = np.asarray(kept_by_box(jax.random.key(3), shape, 1.0))
    assert kept.shape == (1,) * (len(shape) - 3) + (20, 30, 1)
    rows, columns = np.where(kept.reshape(20, 30) == 0)
    box = kept.reshape(20, 30)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert 0 < box.size < 600 and not box.any()
    assert kept.sum() == 600 - box.size


def test_cutmix_labels_tell_the_share_of_the_kept_area():
    own, other = jnp.ones((2, 2, 16, 16, 3)), jnp.zeros((2, 2, 16, 16, 3))
    inputs = {"rgb": jnp.concatenate([own[:1], other[:1]])}
    for seed in range(5):
        mixed, labels = mix(inputs, rng=jax.random.key(seed), size=2, cutmix_alpha=1.0)
        assert set(np.unique(mixed["rgb"])) <= {0.0, 1.0}
        assert own_share(labels, "rgb") == pytest.approx(float(mixed["rgb"][0].mean()), abs=1e-6)


def test_boxes_leave_as_much_as_their_distribution_says():
    """A side of s, its centre anywhere, covers s - s**2 / 4 of an axis; s**2 is even in [0, 1]."""
    rngs = jax.random.split(RNG, 4000)
    kept = jax.vmap(lambda rng: kept_by_box(rng, (1, 128, 128, 1), 1.0).mean())(rngs)
    covered = 1 / 2 - 1 / 5 + 1 / 48  # the mean of (s - s**2 / 4)**2
    assert float(kept.mean()) == pytest.approx(1 - covered, abs=0.015)


def test_a_coin_decides_between_mixup_and_cutmix():
    draw = jax.vmap(lambda rng: sample_shares(rng, (2, 8, 8, 3), MIXUP_OR_CUTMIX))
    shares = draw(jax.random.split(RNG, 200))
    values = np.asarray(shares.values).reshape(200, -1)
    is_box = np.isin(values, (0.0, 1.0)).all(axis=1)
    assert 0.4 < is_box.mean() < 0.6
    np.testing.assert_allclose(values.mean(axis=1), shares.label, atol=1e-6)


def test_batch_on_eight_devices_is_mixed_as_on_one():
    inputs, targets, presence = some_inputs(16), some_targets(16), all_present(16)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    mix_both = jax.jit(lambda x, y, p: mix_examples(RNG, x, y, MIXUP_OR_CUTMIX, presence=p))
    spread = jax.device_put((inputs, targets, presence), rows)
    compiled = mix_both.lower(*spread).compile()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        compiled(*spread),
        mix_both(inputs, targets, presence),
    )
    assert "all-gather" not in str(compiled.as_text())


@pytest.mark.parametrize(
    ("tree", "message"),
    [({"label": jnp.arange(4)}, "one-hot"), ({"x": jnp.ones((1, 2))}, "batch of one")],
)
def test_what_cannot_be_mixed_is_refused(tree, message):
    with pytest.raises(ValueError, match=message):
        mix_with_reversed(tree, jnp.asarray(0.3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixup_alpha": -1.0}, "mixup_alpha is -1.0"),
        ({"cutmix_alpha": -1.0}, "cutmix_alpha is -1.0"),
        ({"mixmod": True}, "needs mixup_alpha .* for mixmod; got mixup_alpha=0"),
    ],
)
def test_alphas_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Mixing(**options)


def test_cutmix_needs_rows_and_columns():
    with pytest.raises(ValueError, match="rows and columns"):
        sample_shares(RNG, (2, 4), Mixing(cutmix_alpha=1.0))
