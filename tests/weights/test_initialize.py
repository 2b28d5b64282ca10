"""Starting from other weights accounts for every array, and says so when it cannot."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.model_weights import ModelWeights


def start(*, target, source, **fields):
    return initialize(target=ModelWeights(target), source=ModelWeights(source), **fields)


def zeros(**shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def ones(**shapes):
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


def test_equal_trees_are_copied_whole():
    target = {"a": zeros(kernel=(2, 3), bias=(3,)), "b": zeros(scale=(4,))}
    source = {"a": ones(kernel=(2, 3), bias=(3,)), "b": ones(scale=(4,))}
    params, report = start(target=target, source=source)
    jax.tree.map(np.testing.assert_array_equal, params, source)
    assert [row.path for row in report.rows] == ["a/kernel", "a/bias", "b/scale"]
    assert report.unused == ()


def test_a_missing_parameter_is_an_error_that_names_near_ones():
    with pytest.raises(ValueError, match=r"a/kernel needs a/kernel.*Did you mean 'a/kernels'"):
        start(target={"a": zeros(kernel=(2,))}, source={"a": ones(kernels=(2,))})


def test_an_unused_array_is_an_error_unless_it_is_allowed():
    target, source = {"a": zeros(x=(2,))}, {"a": ones(x=(2,)), "head": ones(bias=(7,))}
    with pytest.raises(ValueError, match=r"source head/bias \[7\] is not used"):
        start(target=target, source=source)
    _, report = start(target=target, source=source, allow_unused=("head/.*",))
    assert report.unused == ("head/bias",)


def test_another_shape_is_an_error_that_shows_both():
    with pytest.raises(ValueError, match=r"x is \[2\], but x gives \[3\]"):
        start(target=zeros(x=(2,)), source=ones(x=(3,)))


def test_a_parameter_that_stays_random_keeps_its_value_even_where_the_source_has_one():
    target = {"head": zeros(bias=(2,)), "body": zeros(x=(2,))}
    source = {"head": ones(bias=(2,)), "body": ones(x=(2,))}
    head = ("head/.*",)
    params, report = start(target=target, source=source, allow_random=head, allow_unused=head)
    assert (params["head"]["bias"] == 0).all() and (params["body"]["x"] == 1).all()
    assert report.rows[0].source is None


def test_all_problems_are_listed_at_once():
    with pytest.raises(ValueError) as error:
        start(target=zeros(x=(2,), y=(2,)), source=ones(y=(3,), z=(2,)))
    assert all(name in str(error.value) for name in ("x needs x", "y is [2]", "source z [2]"))


def test_a_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(ValueError, match="'haed/.*' matches no parameter"):
        start(target=zeros(x=(2,)), source=ones(x=(2,)), allow_random=("haed/.*",))


def test_patterns_match_whole_paths():
    target = {"head": zeros(bias=(2,)), "overhead": zeros(bias=(2,))}
    with pytest.raises(ValueError, match="overhead/bias needs"):
        start(target=target, source={}, allow_random=("head/bias",))


def test_transforms_are_applied_and_named_in_the_report():
    takes = {"x": Take("y", lambda y: y[::2] * 3, "every second, tripled")}
    source = {"y": np.arange(4, dtype=np.float32)}
    params, report = start(target=zeros(x=(2,)), source=source, takes=takes)
    assert params["x"].tolist() == [0, 6]
    assert "every second, tripled" in str(report)


def test_a_source_may_be_taken_more_than_once():
    takes = {"x": Take("w"), "y": Take("w")}
    params, _ = start(target=zeros(x=(2,), y=(2,)), source=ones(w=(2,)), takes=takes)
    assert (params["x"] == 1).all() and (params["y"] == 1).all()


def test_a_parameter_that_nothing_maps_to_is_an_error():
    with pytest.raises(ValueError, match="y has no source"):
        start(target=zeros(x=(2,), y=(2,)), source=ones(x=(2,)), takes={"x": Take("x")})


def test_values_take_the_precision_of_the_target():
    source = {"x": jnp.ones(2, jnp.bfloat16)}
    params, _ = start(target=zeros(x=(2,)), source=source)
    assert params["x"].dtype == np.float32


def test_an_abstract_parameter_cannot_stay_random():
    target = {"x": jax.ShapeDtypeStruct((2,), np.float32)}
    params, _ = start(target=target, source=ones(x=(2,)))
    assert (params["x"] == 1).all()
    with pytest.raises(ValueError, match="only its shape"):
        start(target=target, source={}, allow_random=("x",))


def test_the_report_prints_equal_layers_on_one_line():
    def tree(make):
        return {f"encoderblock_{i}": make(bias=(2,)) for i in range(12)} | make(head=(3,))

    _, report = start(target=tree(zeros), source=tree(ones))
    lines = str(report).splitlines()
    assert len(report.rows) == 13
    assert lines[1].split() == ["encoderblock_*/bias", "encoderblock_*/bias", "[2]", "12"]
    assert lines[-1] == "13 parameters loaded, 0 randomly initialised, 0 of the source not used"
