"""Who is there, who is not, and means over those who are."""

import jax.numpy as jnp
import numpy as np

from scenic_video.layers.presence import (
    all_if_none,
    mean_over_present,
    read_presence,
    where_present,
)

HAS = {"rgb": jnp.array([1.0, 1.0, 0.0]), "spectrogram": jnp.array([1.0, 0.0, 0.0])}


def test_what_is_not_named_is_there_and_nothing_said_is_none():
    assert read_presence(None, ("rgb",)) is None
    assert read_presence({"flow": HAS["rgb"]}, ("rgb",)) is None
    present = read_presence({"spectrogram": HAS["spectrogram"]}, ("rgb", "spectrogram"))
    assert present is not None
    assert present["rgb"].tolist() == [True] * 3
    assert present["spectrogram"].tolist() == [True, False, False]


def test_the_mean_is_over_those_who_are_there_and_over_all_where_nobody_is():
    present = all_if_none(read_presence(HAS, tuple(HAS)))
    values = {"rgb": jnp.full((3, 2), 2.0), "spectrogram": jnp.array([[4.0], [jnp.nan], [6.0]])}
    values["spectrogram"] = jnp.broadcast_to(values["spectrogram"], (3, 2))
    np.testing.assert_array_equal(mean_over_present(values, present)[:, 0], [3, 2, 4])


def test_a_choice_loses_even_what_is_not_a_number():
    present = jnp.array([True, False])
    chosen = where_present(present, jnp.array([[1.0], [jnp.nan]]))
    np.testing.assert_array_equal(chosen, [[1], [0]])
    assert where_present(None, chosen) is chosen
