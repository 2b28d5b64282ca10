"""Views of audio and optical flow beside RGB, and examples that lack a modality."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, path_aware_map

from projects.mtv.model import MTV
from projects.mtv.views import View, parse_views
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention, MLPFusion
from tests.helpers.drawn import drawn

# Flow 2 times, audio 4, RGB 8; audio is in the middle, so that both others are its neighbours.
VIEWS = (
    View(8, 16, num_layers=1, num_heads=1, tubelet_size=(4, 12, 8), modality="flow"),
    View(12, 16, num_layers=1, num_heads=2, tubelet_size=(8, 16), modality="audio"),
    View(16, 32, num_layers=1, num_heads=2, tubelet_size=(1, 8, 8)),
)
FIELDS: dict[str, Any] = {
    "num_classes": 5,
    "views": VIEWS,
    "global_mlp_dim": 16,
    "global_num_layers": 1,
    "global_num_heads": 2,
}
RGB_ONLY: dict[str, Any] = FIELDS | {"views": VIEWS[2:]}
IN_TIME: dict[str, Any] = {"merge": "time", "global_hidden_size": 12}
FUSIONS: dict[str, dict[str, Any]] = {
    "attention": {"fusion": CrossViewAttention(layers=(0,))},
    "cascade": {"fusion": CrossViewAttention(layers=(0,), cascade=True)},
    "mlp": {"fusion": MLPFusion(layers=(0,))},
    "bottleneck": {"fusion": Bottleneck(layers=(0,))},
    "up": {"fusion": Bottleneck(layers=(0,), direction="coarse_to_fine")},
    "late": {},
    "time": IN_TIME,
    "gap": IN_TIME | {"classifier": "gap"},
}
SHAPES = {"rgb": (2, 8, 24, 24, 3), "audio": (2, 32, 32, 1), "flow": (2, 8, 24, 24, 2)}
ONLY_THE_SECOND = jnp.array([0.0, 1.0])


def inputs(seed=0):
    random = np.random.default_rng(seed)
    return {
        name: jnp.asarray(random.uniform(-1, 1, shape), jnp.float32)
        for name, shape in SHAPES.items()
    }


def shapes_of(model, **given):
    return jax.eval_shape(lambda given: model.init(jax.random.key(0), **given), given)


def everything(**absent):
    """The presence of all modalities but those given."""
    return {modality: jnp.ones(2) for modality in SHAPES} | absent


@functools.cache
def prepared(name):
    """A jitted model with all its parameters drawn, of one fusion."""
    model = MTV(**FIELDS, **FUSIONS[name])
    variables: Any = drawn(shapes_of(model, **inputs()))
    apply = jax.jit(lambda v, given, presence: model.apply(v, **given, presence=presence))
    return functools.partial(apply, variables)


def test_every_view_reads_its_own_input():
    model = prepared("attention")
    logits = model(inputs(), everything())
    assert logits.shape == (2, 5)
    for name in SHAPES:
        changed = model(inputs() | {name: inputs(1)[name]}, everything())
        assert np.abs(changed - logits).max() > 1e-3


def test_kernels_and_positions_are_those_of_the_views_own_grids():
    params: Any = flatten_dict(shapes_of(MTV(**FIELDS), **inputs())["params"], sep="/")
    kernels = [params[f"embedding_view{view}/kernel"].shape for view in range(3)]
    assert kernels == [(4, 12, 8, 2, 8), (8, 16, 1, 12), (1, 8, 8, 3, 16)]
    tables = [f"MultiviewEncoder/posembed_input_view{view}/pos_embedding" for view in range(3)]
    assert [params[table].shape[1] for table in tables] == [2 * 3 + 1, 2 + 1, 3 * 3 + 1]
    assert [params[f"cls_view{view}"].shape[1] for view in range(3)] == [2, 4, 8]


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("absent", ["audio", "rgb"])
def test_what_an_absent_modality_holds_changes_nothing(name, absent):
    model, presence = prepared(name), everything(**{absent: ONLY_THE_SECOND})
    logits = model(inputs(), presence)
    other = model(inputs() | {absent: inputs(1)[absent]}, presence)
    broken = model(inputs() | {absent: inputs()[absent].at[0].set(jnp.nan)}, presence)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits[0], other[0])
    np.testing.assert_array_equal(logits, broken)
    assert np.abs(logits[1] - other[1]).max() > 1e-3


@pytest.mark.parametrize("name", ["attention", "bottleneck"])
def test_what_is_not_said_to_be_absent_is_present(name):
    model = prepared(name)
    logits = model(inputs(), None)
    np.testing.assert_allclose(model(inputs(), everything()), logits, atol=1e-6)


@pytest.mark.parametrize("name", ["attention", "gap"])
def test_an_example_without_anything_gives_a_number(name):
    """It is the task that masks it; a NaN would reach the gradients all the same."""
    nothing = {modality: jnp.full(shape, jnp.nan) for modality, shape in SHAPES.items()}
    logits = prepared(name)(nothing, {modality: jnp.zeros(2) for modality in SHAPES})
    assert np.isfinite(logits).all()


def test_a_view_of_audio_that_is_absent_is_not_the_same_as_silence():
    model = prepared("attention")
    silent = inputs() | {"audio": jnp.zeros(SHAPES["audio"])}
    absent = model(silent, everything(audio=jnp.zeros(2)))
    assert np.abs(model(silent, everything()) - absent).max() > 1e-3


@pytest.mark.parametrize("name", ["attention", "mlp", "bottleneck", "time"])
def test_no_parameter_of_an_absent_view_reaches_the_logits(name):
    """Not even its class tokens and positions, which are no input."""
    model, presence = prepared(name), everything(audio=jnp.zeros(2))
    (variables,) = model.args

    def changed(path, leaf):
        names = [part for part in path if "view" in part and part.endswith("1")]
        return leaf if not names or names[-1].startswith("bottleneck") else leaf + 1

    other: Any = {"params": path_aware_map(changed, variables["params"])}
    logits = model(inputs(), presence)
    np.testing.assert_array_equal(model.func(other, inputs(), presence), logits)
    assert np.abs(model.func(other, inputs(), everything()) - logits).max() > 1e-3


def test_views_without_their_input_are_refused():
    with pytest.raises(ValueError, match="audio, flow, rgb, but the inputs are rgb"):
        shapes_of(MTV(**FIELDS), rgb=inputs()["rgb"])
    with pytest.raises(ValueError, match="views of rgb, but the inputs are audio, rgb"):
        given = inputs()
        del given["flow"]
        shapes_of(MTV(**RGB_ONLY), **given)


def shape_only(frames, columns):
    return {
        "rgb": jax.ShapeDtypeStruct((1, frames, 32, 32, 3), np.float32),
        "audio": jax.ShapeDtypeStruct((1, columns, 128, 1), np.float32),
    }


def test_audio_of_other_times_is_refused_with_the_time_frames_that_would_do():
    """Their seconds depend on the hop, which a model does not know."""
    model = MTV(num_classes=3, views="Ti:rgb+Ti:audio", global_num_layers=1)
    advice = r"256 time frames \(audio.seconds=2.56 at a hop of 10 ms\) are 16 times"
    with pytest.raises(ValueError, match=f"have 50, 16 tubelets .* {advice}"):
        shapes_of(model, **shape_only(32, 800))
    advice = r"to 240 time frames \(audio.seconds=2.4 at a hop of 10 ms\)"
    with pytest.raises(ValueError, match=f"250 time frames .* {advice}"):
        shapes_of(model, **shape_only(32, 250))
    shapes_of(model, **shape_only(32, 256))  # as advised


@pytest.mark.slow
def test_the_example_of_the_readme_is_a_model():
    views = parse_views("B/2:rgb+S/16x16:audio+Ti/4:flow")
    model = MTV(num_classes=397, views=views, fusion=CrossViewAttention())
    given = shape_only(32, 256) | {"flow": jax.ShapeDtypeStruct((1, 32, 32, 32, 2), np.float32)}
    params: Any = flatten_dict(shapes_of(model, **given)["params"], sep="/")
    assert params["MultiviewEncoder/cross_view_encoderblock_5/msa_view1/query/kernel"].shape
