"""Who is there, who is not, and means over those who are."""

import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.presence import (
    all_if_none,
    log_mean_over_present,
    mean_over_modalities,
    mean_over_present,
    read_presence,
    where_present,
)

HAS = {"rgb": jnp.array([1.0, 1.0, 0.0]), "audio": jnp.array([1.0, 0.0, 0.0])}


def test_what_is_not_named_is_there_and_nothing_said_is_none():
    assert read_presence(None, ("rgb",)) is None
    assert read_presence({}, ("rgb",)) is None
    present = read_presence({"audio": HAS["audio"]}, ("rgb", "audio"))
    assert present is not None
    assert present["rgb"].tolist() == [True] * 3
    assert present["audio"].tolist() == [True, False, False]


def test_a_name_that_the_model_does_not_read_is_refused():
    with pytest.raises(ValueError, match="names sound, but the model takes rgb, audio"):
        read_presence({"sound": HAS["rgb"]}, ("rgb", "audio"))
    present = read_presence({"depth": HAS["rgb"]}, ("rgb", "depth"))
    assert present is not None and present["depth"].tolist() == [True, True, False]


def test_the_mean_is_over_those_who_are_there_and_over_all_where_nobody_is():
    present = all_if_none(read_presence(HAS, tuple(HAS)))
    values = {"rgb": jnp.full((3, 2), 2.0), "audio": jnp.array([[4.0], [jnp.nan], [6.0]])}
    values["audio"] = jnp.broadcast_to(values["audio"], (3, 2))
    np.testing.assert_array_equal(mean_over_modalities(values, present)[:, 0], [3, 2, 4])


def test_a_choice_loses_even_what_is_not_a_number():
    present = jnp.array([True, False])
    chosen = where_present(present, jnp.array([[1.0], [jnp.nan]]))
    np.testing.assert_array_equal(chosen, [[1], [0]])
    assert where_present(None, chosen) is chosen


def test_what_an_absent_value_holds_does_not_count():
    values = jnp.asarray([[[1.0], [2.0], [3.0]], [[5.0], [jnp.nan], [9.0]]])
    presence = jnp.asarray([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(mean_over_present(values, presence)[:, 0], [3.0, 2.0, 6.0])


def test_means_of_logarithms_are_those_of_the_values_and_do_not_vanish():
    values = jnp.asarray([[[0.2, 0.5]], [[0.4, 0.1]]])
    for presence in ([[1.0], [1.0]], [[1.0], [0.0]]):
        presence = jnp.asarray(presence)
        expected = jnp.log(mean_over_present(values, presence))
        found = log_mean_over_present(jnp.log(values), presence)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    tiny = jnp.full((2, 1, 1), -500.0)
    assert float(log_mean_over_present(tiny, jnp.ones((2, 1)))[0, 0]) == pytest.approx(-500)
