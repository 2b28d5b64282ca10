"""What a multiview transformer computes that starts from image models, or from another one."""

import dataclasses
import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from projects.mtv.model import MTV
from projects.mtv.pretrained import from_image_models, from_multiview_model
from projects.mtv.views import View
from projects.vivit.model import SpatioTemporalAttention, ViT
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention, MLPFusion
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.patch_resampling import resample_patches
from scenic_video.weights.resampling import Resampling
from tests.helpers.drawn import parameters

COARSE = View(16, 24, num_layers=1, num_heads=2, tubelet_size=(4, 8, 8))
FINE = View(24, 32, num_layers=2, num_heads=3, tubelet_size=(2, 8, 8))
FIELDS: dict[str, Any] = {
    "num_classes": 5,
    "global_mlp_dim": 16,
    "global_num_layers": 1,
    "global_num_heads": 2,
}
LINEAR = Resampling(patches="linear")
"""As in the public code."""
FUSIONS = {
    "attention": CrossViewAttention(layers=(0,)),
    "mlp": MLPFusion(layers=(0,)),
}
CLIP = jax.random.uniform(jax.random.key(0), (2, 4, 24, 24, 3), minval=-1, maxval=1)


def random_parameters(model, seed=0, **inputs):
    return parameters(model, seed=seed, **inputs or {"rgb": CLIP})


def image_model(view, patch=8, seed=1, **fields):
    sizes = {"hidden_size": view.hidden_size, "mlp_dim": view.mlp_dim}
    sizes |= {"num_layers": view.num_layers, "num_heads": view.num_heads}
    model = ViT(**sizes, num_classes=7, patch_size=(patch, patch), **fields)
    return model, parameters(model, seed=seed, rgb=CLIP[:, 0])


def without_fusion(flat):
    """Parameters that let nothing cross, as a model begins its training."""
    zero = r".*cross_attention_view\d_\d/out/.*|.*/fusion/kernel"
    return {path: 0 * x if re.fullmatch(zero, path) else x for path, x in flat.items()}


def views_of(model, params):
    """What the encoder gives of every view."""
    params = unflatten_dict(without_fusion(flatten_dict(params, sep="/")), sep="/")
    apply = jax.jit(functools.partial(model.apply, capture_intermediates=True))
    _, state = apply({"params": params}, rgb=CLIP)
    return state["intermediates"]["MultiviewEncoder"]["__call__"][0]


def last_block_of(image, params, pixels):
    apply = jax.jit(functools.partial(image.apply, capture_intermediates=True))
    _, state = apply({"params": params}, rgb=pixels)
    blocks = state["intermediates"]["Transformer"]
    return blocks[f"encoderblock_{image.num_layers - 1}"]["__call__"][0]


@pytest.mark.parametrize("name", FUSIONS)
def test_every_view_starts_as_the_image_model_of_its_frames(name):
    views = (COARSE, dataclasses.replace(FINE, tubelet_size=(4, 8, 8)))
    images = [image_model(view) for view in views]
    model = MTV(**FIELDS, views=views, fusion=FUSIONS[name])
    params, _ = from_image_models(
        target=ModelWeights(random_parameters(model)),
        source=[ModelWeights(params) for _, params in images],
    )
    for tokens, (image, source) in zip(views_of(model, params), images, strict=True):
        expected = last_block_of(image, source, CLIP[:, 2])
        np.testing.assert_allclose(tokens[:, 0], expected, atol=2e-5)


def test_a_single_view_is_the_image_model_of_every_middle_frame():
    image, source = image_model(FINE)
    model = MTV(**FIELDS, views=(FINE,))
    params, _ = from_image_models(
        target=ModelWeights(random_parameters(model)), source=ModelWeights(source)
    )
    (slices,) = views_of(model, params)
    for index in range(2):
        expected = last_block_of(image, source, CLIP[:, 2 * index + 1])
        np.testing.assert_allclose(slices[:, index], expected, atol=2e-5)


def test_what_no_image_model_has_stays_random():
    model = MTV(**FIELDS, views=(COARSE, FINE), fusion=Bottleneck(layers=(0,)))
    target = random_parameters(model)
    _, report = from_image_models(
        target=ModelWeights(target),
        source=[ModelWeights(image_model(view)[1]) for view in (COARSE, FINE)],
    )
    random = [row.path for row in report.rows if row.source is None]
    known = r"(bottleneck|global_encoder|cls_global|output_projection|.*bottleneck_linear).*"
    assert random and all(re.fullmatch(known, path) for path in random)
    assert all(re.search("encoder_norm|output_projection", path) for path in report.unused)


def test_sources_may_name_the_views_they_are_for():
    model = MTV(**FIELDS, views=(COARSE, FINE))
    target, source = random_parameters(model), ModelWeights(image_model(FINE)[1])
    begin = functools.partial(from_image_models, target=ModelWeights(target))
    fields = {"hidden_size": 24, "mlp_dim": 32, "num_layers": 2, "num_heads": 3}
    params, report = begin(
        source=[source],
        views=(COARSE, FINE),
        sources=[fields | {"tubelet_size": (2, 8, 8)}],
    )
    np.testing.assert_array_equal(
        params["embedding_view0"]["kernel"], target["embedding_view0"]["kernel"]
    )
    assert "view1/Transformer/encoderblock_*" in str(report)
    with pytest.raises(ValueError, match="2 views .* init.workdir has 1"):
        begin(source=source)
    with pytest.raises(ValueError, match="are 'B/2', not one"):
        begin(source=source, views=(COARSE, FINE), sources=["B/2"])


def test_a_class_token_that_an_image_model_lacks_has_zeros_for_its_position():
    source = image_model(COARSE, classifier="gap")[1]
    target = random_parameters(MTV(**FIELDS, views=(COARSE,)))
    params, report = from_image_models(
        target=ModelWeights(target), source=ModelWeights(source, grid=(3, 3))
    )
    table = params["MultiviewEncoder"]["posembed_input_view0"]["pos_embedding"]
    old = source["Transformer"]["posembed_input"]["pos_embedding"]
    np.testing.assert_array_equal(table, np.pad(old, ((0, 0), (1, 0), (0, 0))))
    assert "cls_view0" in [row.path for row in report.rows if row.source is None]


def test_a_source_of_another_depth_is_refused():
    model = MTV(**FIELDS, views=(COARSE,))
    deeper = ModelWeights(image_model(View(16, 24, 2, 2, (4, 8, 8)))[1])
    begin = functools.partial(
        from_image_models, target=ModelWeights(random_parameters(model)), source=deeper
    )
    with pytest.raises(ValueError, match="view0/Transformer/encoderblock_1/.* is not used"):
        begin()
    begin(allow_unused=[".*/encoderblock_1/.*"])


def test_a_patch_of_another_size_and_place_is_resampled():
    view = View(16, 24, num_layers=1, num_heads=2, tubelet_size=(2, 12, 8))
    source = image_model(COARSE)[1]
    target = random_parameters(MTV(**FIELDS, views=(view,)))

    def begin(grids=None, source_grid=None, inputs=None, source_inputs=None):
        return from_image_models(
            target=ModelWeights(target, inputs or {}, grids, "this model", LINEAR),
            source=ModelWeights(source, source_inputs or {}, source_grid),
        )

    params, report = begin(grids=[(2, 3)], source_grid=(3, 3))
    kernel = source["embedding"]["kernel"]
    np.testing.assert_allclose(params["embedding_view0"]["kernel"][1, 0], kernel[0], atol=1e-6)
    np.testing.assert_allclose(params["embedding_view0"]["kernel"][1, -1], kernel[-1], atol=1e-6)
    for words in ("central_frame of 2, patches of 8 x 8", "resample 3 x 3 to 2 x 3"):
        assert words in str(report)
    _, same = begin(inputs={"rgb": (4, 24, 24)}, source_inputs={"rgb": (1, 24, 24)})
    assert str(same) == str(report)
    with pytest.raises(ValueError, match="9 positions and this model 2 x 3.*source_grid"):
        begin(grids=[(2, 3)])
    with pytest.raises(
        ValueError, match="6 positions per frame and its image model 3 x 3.*unknown"
    ):
        begin(source_grid=(3, 3))
    with pytest.raises(ValueError, match="this model has 6 positions per frame, not 3 x 3"):
        begin(grids=[(3, 3)], source_grid=(3, 3))


def test_a_view_starts_from_no_model_of_videos():
    video = SpatioTemporalAttention(
        hidden_size=16, mlp_dim=24, num_layers=1, num_heads=2, num_classes=3, tubelet_size=(4, 8, 8)
    )
    source = parameters(video, rgb=CLIP)
    with pytest.raises(ValueError, match=r"kernel is \[4, 8, 8, 3, 16\].*Start view 0 from a ViT"):
        from_image_models(
            target=ModelWeights(random_parameters(MTV(**FIELDS, views=(COARSE,)))),
            source=ModelWeights(source),
        )


def test_audio_and_flow_start_from_image_models_as_if_grey():
    """The logits of an image model for an image with equal channels."""
    flow = View(16, 24, num_layers=1, num_heads=2, tubelet_size=(1, 8, 8), modality="flow")
    audio = View(24, 32, num_layers=2, num_heads=3, tubelet_size=(8, 8), modality="audio")
    sources = [image_model(view)[1] for view in (flow, audio)]
    inputs: Any = {
        "flow": CLIP[..., :2],
        "audio": jnp.concatenate([CLIP[:, 0, :16, :, :1]] * 2, axis=1),
    }
    model = MTV(**FIELDS, views=(flow, audio), classifier="gap")
    begin = functools.partial(
        from_image_models, target=ModelWeights(random_parameters(model, **inputs))
    )
    with pytest.raises(ValueError, match="9 positions and this model 1 x 3"):
        begin(source=[ModelWeights(source) for source in sources])
    params, report = begin(source=[ModelWeights(source, grid=(3, 3)) for source in sources])
    assert "3 x 3 unchanged, mean over rows" in str(report)
    for view, (source, channels) in enumerate(zip(sources, (2, 1), strict=True)):
        kernel, image = params[f"embedding_view{view}"]["kernel"], source["embedding"]["kernel"]
        assert kernel.shape[-2] == channels
        kernel = kernel[0] if kernel.ndim == 5 else kernel
        np.testing.assert_allclose(kernel.sum(axis=-2), image.sum(axis=-2), atol=1e-5)
    places = sources[1]["Transformer"]["posembed_input"]["pos_embedding"][0, 1:].reshape(3, 3, 24)
    table = params["MultiviewEncoder"]["posembed_input_view1"]["pos_embedding"][0]
    np.testing.assert_allclose(table, places.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("merge", ["channel", "time"])
def test_another_multiview_transformer_starts_a_longer_and_larger_one(merge):
    fields = FIELDS | {"merge": merge, "fusion": Bottleneck(layers=(0,))}
    fields |= {"global_hidden_size": 12} if merge == "time" else {}
    model = MTV(**fields, views=(COARSE, FINE))
    source = random_parameters(model, seed=1)
    longer = jax.ShapeDtypeStruct((2, 12, 32, 40, 3), np.float32)
    target = random_parameters(model, rgb=longer)
    params, report = from_multiview_model(
        target=ModelWeights(target, {"rgb": (12, 32, 40)}),
        source=ModelWeights(source, {"rgb": (4, 24, 24)}),
    )
    random = [row.path for row in report.rows if row.source is None]
    assert sorted(random) == ["output_projection/bias", "output_projection/kernel"]
    old, new = source["cls_view1"][0, :, 0], params["cls_view1"][0, :, 0]
    assert len(old) == 2 and len(new) == 6
    np.testing.assert_allclose(new[[0, -1]], old, atol=1e-6)
    old, new = (
        tree["global_encoder"]["posembed_input"]["pos_embedding"][0] for tree in (source, params)
    )
    kept = {"channel": [0, 1, 6], "time": [0, 1, 4, 9]}[merge]
    where = {"channel": [0, 1, 2], "time": [0, 1, 2, 3]}[merge]
    np.testing.assert_allclose(new[kept], old[where], atol=1e-6)


def test_a_multiview_transformer_that_is_the_same_is_taken_as_it_is():
    model = MTV(**FIELDS, views=(COARSE, FINE), fusion=CrossViewAttention(layers=(0,)))
    source = random_parameters(model, seed=1)
    params, report = from_multiview_model(
        target=ModelWeights(random_parameters(model)), source=ModelWeights(source)
    )
    assert not any(row.transform for row in report.rows)
    kept = params | {"output_projection": source["output_projection"]}
    jax.tree.map(np.testing.assert_array_equal, kept, source)


def test_rows_and_columns_of_views_are_stated_or_follow_from_the_size_of_inputs():
    """4 x 4 patches here, 2 x 8 there: as many, in other places."""
    model = MTV(**FIELDS, views=(FINE,))
    source = random_parameters(model, seed=1, rgb=jnp.zeros((1, 4, 16, 64, 3)))
    target = random_parameters(model, rgb=jnp.zeros((1, 4, 32, 32, 3)))
    here, there = {"rgb": (4, 32, 32)}, {"rgb": (4, 16, 64)}
    params, report = from_multiview_model(
        target=ModelWeights(target, here), source=ModelWeights(source, there)
    )
    assert "resample 2 x 8 to 4 x 4" in str(report)
    stated, _ = from_multiview_model(
        target=ModelWeights(target, here), source=ModelWeights(source, grid=[(2, 8)])
    )
    jax.tree.map(np.testing.assert_array_equal, params, stated)
    smaller = random_parameters(model, rgb=jnp.zeros((1, 4, 24, 24, 3)))
    with pytest.raises(ValueError, match="16 positions per frame in the source and 9 here"):
        from_multiview_model(target=ModelWeights(smaller), source=ModelWeights(source))
    for grid in ((2, 8), []):
        with pytest.raises(ValueError, match=r"is \(rows, columns\) for each view; got"):
            from_multiview_model(
                target=ModelWeights(target, here), source=ModelWeights(source, grid=grid)
            )


@pytest.mark.parametrize("patches", ["linear", "resample"])
def test_kernels_of_another_tubelet_are_resampled_as_the_config_says(patches):
    finer = View(24, 32, num_layers=2, num_heads=3, tubelet_size=(2, 6, 12))
    source = random_parameters(MTV(**FIELDS, views=(FINE,)), seed=1)
    target = random_parameters(MTV(**FIELDS, views=(finer,)))

    def begin(resampling):
        return from_multiview_model(
            target=ModelWeights(target, grid=[(4, 2)], resampling=resampling),
            source=ModelWeights(source, grid=[(3, 3)]),
        )

    params, _ = begin(Resampling(patches=patches))
    old, new = (tree["embedding_view0"]["kernel"] for tree in (source, params))
    if patches == "linear":
        np.testing.assert_allclose(new[:, 0, 0], old[:, 0, 0], atol=1e-6)
        np.testing.assert_allclose(new[:, -1, -1], old[:, -1, -1], atol=1e-6)
    else:
        np.testing.assert_array_equal(new, resample_patches(old, (2, 6, 12)))
    with pytest.raises(ValueError, match="2 x 8 x 8 in the source and 2 x 6 x 12.*init.patches="):
        begin(Resampling())
