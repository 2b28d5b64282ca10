"""Positions over sequences and grids, learned and fixed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.positions import (
    LearnedPositions,
    LearnedSpaceTimePositions,
    add_positions,
    sinusoidal_positions,
)


def test_learned_positions_are_shared_by_all_frames():
    x = jnp.zeros((2, 3, 5, 8))
    module: Any = LearnedPositions()
    output, variables = module.init_with_output(jax.random.key(0), x)
    table = variables["params"]["pos_embedding"]
    assert table.shape == (1, 5, 8)
    assert (output == jnp.broadcast_to(table[0], x.shape)).all()


def test_positions_over_one_axis_interleave_sine_and_cosine():
    table = sinusoidal_positions((7,), 4)
    place = np.arange(7)
    columns = [np.sin(place), np.cos(place), np.sin(place / 100), np.cos(place / 100)]
    np.testing.assert_allclose(table, np.stack(columns, axis=1), atol=1e-6)


def test_positions_over_two_axes_put_the_column_first():
    table = sinusoidal_positions((2, 3), 8).reshape(2, 3, 8)
    row, column = np.indices((2, 3))
    frequencies = [1, 0.01]
    waves = [f(x * k) for x in (column, row) for f in (np.sin, np.cos) for k in frequencies]
    np.testing.assert_allclose(table, np.stack(waves, axis=-1), atol=1e-6)


def test_positions_over_three_axes_put_time_first():
    table = sinusoidal_positions((2, 3, 4), 6).reshape(2, 3, 4, 6)
    time, row, column = np.indices((2, 3, 4))
    waves = [f(x) for x in (time, column, row) for f in (np.sin, np.cos)]
    np.testing.assert_allclose(table, np.stack(waves, axis=-1), atol=1e-6)


def test_a_width_that_positions_cannot_fill_is_an_error():
    with pytest.raises(ValueError, match="divisible by 6; got 1024"):
        sinusoidal_positions((2, 2, 2), 1024)


def test_positions_of_time_and_of_space_add_up():
    module = LearnedSpaceTimePositions((2, 3, 1))
    params = {
        "pos_embedding_time": jnp.array([1.0, 2.0]).reshape(1, 2, 1, 1),
        "pos_embedding_space": jnp.array([10.0, 20.0, 30.0]).reshape(1, 1, 3, 1),
    }
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 6, 1)))["params"]
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, params)
    table = module.apply({"params": params}, jnp.zeros((1, 6, 1)))
    assert table.ravel().tolist() == [11, 21, 31, 12, 22, 32]  # pyright: ignore


def test_an_unknown_kind_and_a_grid_that_is_missing_are_errors():
    for kind in ("sinus", "sinusoidal", "learned_space_time"):
        with pytest.raises(ValueError, match=f"'{kind}', not one of"):
            add_positions(jnp.zeros((1, 2, 8)), kind, name="posembed_input")
