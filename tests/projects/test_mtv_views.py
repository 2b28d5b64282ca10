"""How views are written, and what views cannot be combined."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict

from projects.mtv.model import MTV
from projects.mtv.times import beside, check_input, common_steps, fold, unfold
from projects.mtv.views import View, coarse_to_fine, parse_views, read_views
from scenic_video.config import build
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention, MLPFusion
from tests.helpers.from_config import from_config

TINY = View(8, 16, num_layers=1, num_heads=2, tubelet_size=(2, 8, 8))
FIELDS = dataclasses.asdict(TINY)


def longer(time):
    return dataclasses.replace(TINY, tubelet_size=(time, 8, 8))


@pytest.mark.parametrize("text", ["B/2+S/4+Ti/8", "Ti/8+S/4+B/2", " S/4 + B/2 + Ti/8"])
def test_views_are_coarse_to_fine_however_they_are_written(text):
    views = parse_views(text)
    assert [view.hidden_size for view in views] == [192, 384, 768]
    assert [view.tubelet_size for view in views] == [(8, 16, 16), (4, 16, 16), (2, 16, 16)]


@pytest.mark.parametrize(
    ("text", "tubelet"),
    [
        ("B/2", (2, 16, 16)),
        ("H/2", (2, 14, 14)),
        ("H/16x2", (2, 16, 16)),
        ("L/8x4", (4, 8, 8)),
        ("S/8x16x4", (4, 8, 16)),
    ],
)
def test_tubelets_are_written_rows_columns_time(text, tubelet):
    assert parse_views(text)[0].tubelet_size == tubelet


@pytest.mark.parametrize(
    ("text", "tubelet", "modality"),
    [
        ("B/2:rgb", (2, 16, 16), "rgb"),
        ("B:rgb", (2, 16, 16), "rgb"),
        ("H:flow", (2, 14, 14), "flow"),
        ("S/8x4:flow", (4, 8, 8), "flow"),
        ("B:audio", (16, 16), "audio"),
        ("B/8:audio", (8, 16), "audio"),
        ("B/8x32:audio", (8, 32), "audio"),
    ],
)
def test_the_modality_of_a_view_is_written_after_it(text, tubelet, modality):
    (view,) = parse_views(text)
    assert (view.tubelet_size, view.modality) == (tubelet, modality)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B/2:rgb+S/16x16:audio+Ti/4:flow", "flow audio rgb"),
        ("Ti/2:rgb+S/16x16:audio+B/4:flow", "rgb audio flow"),
        ("B:rgb+B:audio+B:flow", "flow audio rgb"),
        ("B:rgb+S:audio+Ti:rgb", "rgb audio rgb"),
    ],
)
def test_views_of_several_modalities_go_from_the_smallest_transformer_to_the_largest(
    text, expected
):
    for written in (text, "+".join(reversed(text.split("+")))):
        assert " ".join(view.modality for view in parse_views(written)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B/2:rgb+B/4:rgb+B:audio", ["audio 16", "rgb 4", "rgb 2"]),
        ("B/8:rgb+Ti/2:rgb+S:audio", ["rgb 8", "audio 16", "rgb 2"]),
        ("B/8:rgb+Ti/2:rgb+H/8:audio+L:audio", ["rgb 8", "rgb 2", "audio 16", "audio 8"]),
        ("B/8:rgb+S/4:rgb+Ti/2:rgb+L/2:flow", ["rgb 8", "rgb 4", "rgb 2", "flow 2"]),
    ],
)
def test_another_modality_does_not_turn_views_of_one_around(text, expected):
    """They are coarse to fine by their tubelets, in the places that transformers give them."""
    for written in (text, "+".join(reversed(text.split("+")))):
        views = parse_views(written)
        assert [f"{view.modality} {view.tubelet_size[0]}" for view in views] == expected


def test_views_may_be_given_one_by_one():
    assert read_views(["S/4", "B/2"]) == parse_views("B/2+S/4")
    with pytest.raises(ValueError, match="Cannot read 'B' as a view"):
        read_views(["B"])


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("Ti/2", (2, 32, 32, 3), r"clips \[batch, time, rows, .* shape \(2, 32, 32, 3\)"),
        ("Ti:audio", (2, 64, 32, 1, 1), r"spectrograms \[batch, time frames, mel bins, 1\]"),
    ],
)
def test_an_input_of_other_axes_is_refused(text, shape, message):
    with pytest.raises(ValueError, match=message):
        check_input(parse_views(text)[0], shape)


def test_the_same_transformer_may_read_every_view():
    assert [view.tubelet_size[0] for view in parse_views("B/4+B/8+B/16")] == [16, 8, 4]


def test_views_of_one_tubelet_have_one_order():
    views = parse_views("B/4+S/4+S/32x8x4")
    assert views == coarse_to_fine(views[::-1])
    assert [view.hidden_size for view in views] == [384, 384, 768]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "size/tubelet"),
        ("B", "size/tubelet"),
        ("B/2+", "size/tubelet"),
        ("B/2,S/4", "size/tubelet"),
        ("B/1x2x3x4", "size/tubelet"),
        ("XL/2", "Sizes are Ti, S, B, L, H"),
        ("b/2", "upper and lower case matter"),
        ("B/0", "size 0"),
        ("B:", "size/tubelet"),
        ("B:sound", "'sound', not one of flow, audio, rgb"),
        ("B/16x16x2:audio", "time frames, mel bins"),
    ],
)
def test_a_view_that_cannot_be_read_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse_views(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"views": ()}, "needs at least one view"),
        ({"views": [{"hidden_size": 8, "depth": 1}]}, "lacks .*mlp_dim.* has .*depth"),
        ({"views": (TINY,), "fusion": Bottleneck(layers=(0,))}, "two views"),
        ({"views": (TINY, longer(4)), "fusion": MLPFusion(layers=(0, 1))}, r"layers \[1\]"),
        (
            {"views": "L/2+B/4", "fusion": MLPFusion(layers=(11, 23))},
            "23: only one view has this layer",
        ),
        ({"views": "L/2+B/4", "fusion": Bottleneck(layers=(23,))}, "layers, coarse to fine"),
        ({"views": "L/2+B/4", "fusion": Bottleneck(layers=(13, 23))}, "in layer 13: only one view"),
        ({"views": (TINY,), "merge": "width"}, "merge is 'width'"),
        ({"views": (TINY,), "repetition": "mirror"}, "repetition"),
        ({"views": (TINY,), "classifier": "map"}, "classifier"),
        ({"views": (TINY,), "dtype": "float64"}, "dtype"),
        ({"views": [FIELDS | {"modality": "audio"}]}, "mel bins"),
        ({"views": [FIELDS | {"tubelet_size": (2, 8)}]}, "frames, rows"),
        (
            {"views": [FIELDS | {"tubelet_size": (0, 8, 8)}]},
            "wanted a sequence of length",
        ),
        ({"views": "Ti/2", "tubelet_start": "middle"}, "tubelet_start is 'middle'; wanted"),
        ({"views": "Ti/2", "attention_implementation": "flash"}, "'flash'; wanted .*cudnn"),
        (
            {"views": "Ti/2", "stochastic_depth_rate": 1.5},
            "is 1.5; wanted a number",
        ),
        (
            {"views": "Ti/2", "global_hidden_size": 64},
            "merge='time' if global_hidden_size is set; got .*=64",
        ),
        (
            {"views": "Ti/2", "merge": "time", "repetition": "repeat"},
            "merge='channel' if repetition is set",
        ),
    ],
)
def test_a_model_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        from_config(MTV, num_classes=3, **fields)


@pytest.mark.parametrize("views", ["L/2+B/4", "B/2+L/4"])
def test_cross_view_attention_reaches_the_layers_that_one_view_has(views):
    MTV(num_classes=3, views=views, fusion=CrossViewAttention(layers=(11, 23)))


@pytest.mark.parametrize("direction", ["fine_to_coarse", "coarse_to_fine"])
@pytest.mark.parametrize("views", ["L/2+B/4", "B/2+L/4", "B/2+S/4+Ti/8+L/16"])
def test_bottlenecks_bring_others_to_the_layers_that_one_view_has(views, direction):
    MTV(num_classes=3, views=views, fusion=Bottleneck(layers=(11, 23), direction=direction))


def test_a_deeper_view_reads_what_its_neighbour_ended_with():
    MTV(num_classes=3, views="B/2+L/4", fusion=MLPFusion(layers=(23,)))
    up = MLPFusion(layers=(23,), direction="coarse_to_fine")
    MTV(num_classes=3, views="L/2+B/4", fusion=up)
    with pytest.raises(ValueError, match="MLPFusion in layer 23: only one view has this layer"):
        MTV(num_classes=3, views="B/2+L/4", fusion=up)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"direction": "up"}, "direction is 'up'"),
        ({"sizes_from": "both"}, "sizes_from is 'both'"),
        ({"layers": ()}, r"layers is \(\); wanted a sequence of length 1 or more"),
        ({"layers": (-1,)}, "each item a whole number from 0 up"),
    ],
)
def test_a_fusion_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        from_config(CrossViewAttention, **fields)


def test_a_bottleneck_has_tokens():
    with pytest.raises(ValueError, match="num_tokens is 0"):
        Bottleneck(num_tokens=0)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ((longer(5),), "tubelets of 5"),
        ((longer(24), longer(2)), "tubelets of 24"),
        ((longer(4), longer(6)), "2, 3 tubelets"),
    ],
)
def test_a_clip_that_does_not_divide_is_refused(views, message):
    model = MTV(num_classes=3, views=views)
    clip = jax.ShapeDtypeStruct((1, 12, 16, 16, 3), jnp.float32)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda clip: model.init(jax.random.key(0), rgb=clip), clip)


def test_a_config_node_builds_a_hashable_model():
    fusion = {"target": "scenic_video.layers.view_fusion:CrossViewAttention", "layers": [5, 11]}
    node = {"target": "projects.mtv.model:MTV", "views": "B/2+S/4+Ti/8", "fusion": fusion}
    model = build(node | {"num_classes": 400})
    assert hash(model) == hash(MTV(num_classes=400, views="Ti/8+S/4+B/2", fusion=model.fusion))


def test_views_of_a_config_survive_json():
    views = [dataclasses.asdict(TINY), dataclasses.asdict(longer(4))]
    fusion = {"target": "scenic_video.layers.view_fusion:CrossViewAttention", "layers": (0,)}
    node = {"target": "projects.mtv.model:MTV", "views": views, "fusion": fusion}
    config = ConfigDict({"model": node}).lock().to_dict()
    expected = MTV(num_classes=3, views=(TINY, longer(4)), fusion=CrossViewAttention(layers=(0,)))
    for read in (config, json.loads(json.dumps(config))):
        model = build(read["model"], num_classes=3)
        assert model == expected and hash(model) == hash(expected)


def test_folded_frames_come_back_in_order():
    frames = jnp.arange(2 * 6 * 3 * 4.0).reshape(2, 6, 3, 4)
    folded = fold(frames, 2)
    assert folded.shape == (2, 2, 9, 4)
    assert (folded[:, 1, :3] == frames[:, 3]).all()
    assert (unfold(folded, 6) == frames).all()


@pytest.mark.parametrize(
    ("repetition", "times"), [("tile", [0, 1, 0, 1]), ("repeat", [0, 0, 1, 1])]
)
def test_a_shorter_view_is_repeated_as_asked(repetition, times):
    short, long = jnp.arange(2.0).reshape(1, 2, 1), jnp.arange(4.0).reshape(1, 4, 1)
    both = beside([short, long], repetition)
    assert both[0, :, 0].tolist() == times
    assert both[0, :, 1].tolist() == [0, 1, 2, 3]


def test_only_repeated_views_must_divide_the_longest():
    assert common_steps([2, 4, 6], repeated=False) == 2
    with pytest.raises(ValueError, match="2, 4, 6"):
        common_steps([2, 4, 6], repeated=True)
