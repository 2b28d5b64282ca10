"""Starting from other weights accounts for every array, and says so when it cannot."""

import json

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
    assert lines[1].split() == ["encoderblock_*/bias", "encoderblock_*/bias", "[2]", "1.414", "12"]
    assert lines[-1] == (
        "27 of 27 parameters (100.0%) are loaded: 13 arrays, 0 randomly initialised, "
        "0 of the source not used"
    )


def test_equal_problems_of_all_layers_are_one_line_with_similar_names():
    target = {f"encoderblock_{i}": zeros(query=(2,)) for i in range(12)} | zeros(x=(2,))
    source = {f"encoderblock_{i}": ones(queries=(2,)) for i in range(12)} | ones(x=(2,))
    with pytest.raises(ValueError) as error:
        start(target=target, source=source)
    missing, unused = str(error.value).splitlines()[1:]
    assert "encoderblock_0/query needs" in missing and "(and so in 11 more layers)" in missing
    assert "Did you mean 'encoderblock_0/queries'" in missing
    assert "source encoderblock_0/queries [2] is not used" in unused
    assert "Did you mean 'encoderblock_0/query'" in unused


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="x: x has values that are not finite"):
        start(target=zeros(x=(2,)), source={"x": np.array([1, np.nan], np.float32)})
    large = {"x": np.full(4, 1e30, np.float32)}  # whose squares are not
    assert start(target=zeros(x=(4,)), source=large)[1].rows[0].norm == pytest.approx(2e30)


def test_the_report_has_norms_shapes_and_coverage():
    takes = {"x": Take("y", lambda y: y[::2] * 3, "every second, tripled")}
    source, target = ones(y=(4,)), zeros(x=(2,), head=(6,))
    _, report = start(target=target, source=source, takes=takes, allow_random=("head",))
    row = report.rows[0]
    assert (row.source_shape, row.shape) == ((4,), (2,))
    assert (row.source_norm, row.norm) == pytest.approx((2, 18**0.5))
    assert report.coverage == 0.25
    assert report.warnings == [
        "Only 25.0% of the parameters are loaded; the others are random: head."
    ]
    assert "[4] -> [2]  2 -> 4.243" in str(report).splitlines()[1]
    assert "2 of 8 parameters (25.0%) are loaded" in str(report)
    stated = json.loads(json.dumps(report.to_json()))
    assert stated["coverage"] == 0.25 and stated["loaded_parameters"] == 2
    assert stated["parameters"][0]["transform"] == "every second, tripled"


def test_arrays_that_are_zero_or_untrained_are_warned_of():
    random = {"a": np.arange(3, dtype=np.float32), "bias": np.zeros(3, np.float32)}
    assert start(target=random, source=ones(a=(3,), bias=(3,)))[1].warnings == []
    (words,) = start(target=random, source=zeros(a=(3,), bias=(3,)))[1].warnings
    assert "1 loaded arrays are zero in the source and random in a new model: a." in words
    (words,) = start(target=random, source=random)[1].warnings
    assert "1 loaded arrays equal the random initialisation of this run: a." in words
