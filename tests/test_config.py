import re
import types

import pytest

from scenic_video.config import ConfigError, build, check_arguments, is_set, require
from scenic_video.data.examples import LabelSpace
from scenic_video.data.input.views import Views
from scenic_video.field_types import PositiveInt

VIEWS = "scenic_video.data.input.views:Views"
LABELS = {"target": "scenic_video.data.examples:LabelSpace", "classes": {"verb": ("a", "b")}}


def test_a_node_is_a_call():
    assert build({"target": VIEWS, "num_clips": 3}) == Views(num_clips=3, num_crops=1)


def test_nested_nodes_are_built_first():
    node = {"target": "scenic_video.data.examples:Dataset", "name": "n", "splits": {}}
    dataset = build({**node, "labels": LABELS, "fingerprint": "f"})
    assert dataset.labels == LabelSpace(classes={"verb": ("a", "b")})


def test_runtime_values_complete_a_node():
    assert build({"target": LABELS["target"]}, classes={}) == LabelSpace(classes={})


@pytest.mark.parametrize(
    "node, words",
    [
        ({"target": VIEWS, "num_clip": 3}, "no field 'num_clip'. Did you mean 'num_clips'?"),
        ({"target": LABELS["target"]}, "also needs classes"),
        ({"num_clips": 3}, "needs a `target`"),
        ({"target": 3}, "target 3 must have the form 'package.module:name'"),
        ({"target": "scenic_video.config"}, "must have the form 'package.module:name'"),
        ({"target": "scenic_video.confg:build"}, "no module 'scenic_video.confg'"),
        ({"target": "scenic_video.config:bild"}, "no 'bild'. Did you mean 'build'?"),
    ],
)
def test_what_cannot_be_built_says_why(node, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        build(node)


def test_a_value_error_of_a_constructor_names_what_was_built():
    with pytest.raises(ConfigError, match="^fractions:Fraction: Invalid literal .*'a half'$"):
        build({"target": "fractions:Fraction", "numerator": "a half"})


@check_arguments
def counted(*, count: PositiveInt = 1) -> int:
    return count


def test_a_call_is_held_to_the_annotations_as_a_config_is():
    node = {"target": f"{__name__}:counted", "count": 0}
    for call in (lambda: counted(count=0), lambda: build(node)):
        with pytest.raises(ConfigError, match="counted.count is 0; wanted a whole number above 0"):
            call()
    assert counted(count=2) == 2


def test_a_condition_shows_the_fields_that_it_names():
    fields = types.SimpleNamespace(low=3, high=2, other="long")
    with pytest.raises(ConfigError, match="needs low up to high; got low=3, high=2.$"):
        require({"low up to high": fields.low <= fields.high}, of=fields)


def test_a_field_known_at_run_time_cannot_be_configured():
    with pytest.raises(ConfigError, match="'classes' is set at run time"):
        build(LABELS, classes={})


def test_a_field_is_set_if_it_is_neither_its_default_nor_none():
    assert not is_set(Views(), "num_clips")
    assert is_set(Views(num_clips=2), "num_clips")
