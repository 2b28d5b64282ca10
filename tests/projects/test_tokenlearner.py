"""TokenLearner against the public implementation's outputs and parameter trees."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from projects.tokenlearner.model import TokenLearnerViT, TokenLearnerViViT
from scenic_video.layers.token_learner import TokenFuser, TokenLearnerModule, TokenLearnerModuleV11
from tests.helpers.golden import (
    GOLDEN,
    assert_close,
    assert_tree,
    read_case,
    read_trees,
    shapes_of,
    sized,
)

SIZE: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 4, "num_heads": 4}
TINY: dict[str, Any] = SIZE | {"num_classes": 10, "num_tokens": 4, "token_learner_at": 2}
image: Any = functools.partial(TokenLearnerViT, **TINY, patch_size=(8, 8))
video: Any = functools.partial(TokenLearnerViViT, tubelet_size=(2, 8, 8))

MODELS: dict[str, Any] = {
    "tokenlearner_image_v1": image(token_learner="v1"),
    "tokenlearner_image_v1_fuser": image(token_learner="v1", token_fuser=True),
    "tokenlearner_image_v11": image(),
    "tokenlearner_image_v11_fuser": image(token_fuser=True),
    "tokenlearner_video_v11": video(**TINY),
    "tokenlearner_video_v1_fuser": video(
        **TINY | {"token_learner_at": 3}, token_learner="v1", token_fuser=True
    ),
}
LEARNERS: dict[str, Any] = {
    "tokenlearner_module_v1_sum": TokenLearnerModule(num_tokens=4),
    "tokenlearner_module_v11": TokenLearnerModuleV11(num_tokens=4, bottleneck_dim=12),
}


base: Any = functools.partial(sized, TokenLearnerViT, "B", 1000, num_tokens=16, token_learner_at=9)
large: Any = functools.partial(
    sized, TokenLearnerViT, "L", 1000, num_tokens=16, token_learner_at=18
)
clips: Any = functools.partial(sized, TokenLearnerViViT, num_classes=400, num_tokens=8)
V1: dict[str, Any] = {"token_learner": "v1"}
TREES: dict[str, Any] = {
    "tokenlearner_b16_v1": base(**V1),
    "tokenlearner_b16_v11": base(),
    "tokenlearner_b16_v11_fuser": base(token_fuser=True),
    "tokenlearner_b16_v11_loc6_8tok": base(num_tokens=8, token_learner_at=6),
    "tokenlearner_b16_v1_fuser": base(**V1, token_fuser=True),
    "tokenlearner_l16_v1": large(**V1),
    "tokenlearner_l16_v11": large(),
    "tokenlearner_l16_v11_fuser": large(token_fuser=True),
    "tokenlearner_l16_v1_fuser": large(**V1, token_fuser=True),
    "tokenlearner_vivit_b16x2_v11": clips("B", token_learner_at=9),
    "tokenlearner_vivit_b16x2_v11_fuser": clips("B", token_learner_at=9, token_fuser=True),
    "tokenlearner_vivit_l16x2_v11": clips("L", token_learner_at=18),
}


@pytest.mark.parametrize("name", MODELS)
def test_output_equals_the_public_implementations(name):
    case, model = read_case(name), MODELS[name]
    (rgb,) = case.inputs.values()
    assert shapes_of(model, rgb=rgb) == case.tree
    assert_close(jax.jit(model.apply)({"params": case.params}, rgb=rgb), case.outputs["output"])


def test_uniform_frames_are_embedded_by_the_image_kernel_and_then_as_tubelets_of_one_frame():
    """The public weights of a clip's model, at the frames that ViViT's public case reads."""
    case = read_case("tokenlearner_video_v11")
    (rgb,) = case.inputs.values()
    params = case.params
    kernel = params["embedding"]["kernel"]
    table = params["Transformer"]["posembed_input"]["pos_embedding"]
    params["Transformer"]["posembed_input"]["pos_embedding"] = table[:, : 3 * 16]
    fields: dict[str, Any] = TINY | {"tubelet_size": (1, 8, 8)}
    sampled, framewise = video(**fields | {"uniform_frames": 3}), video(**fields)
    params["embedding"]["kernel"] = kernel[0]
    assert shapes_of(sampled, rgb=rgb)["embedding/kernel"] == [8, 8, 3, 32]
    logits = jax.jit(sampled.apply)({"params": params}, rgb=rgb)
    params["embedding"]["kernel"] = kernel[:1]
    apply = jax.jit(framewise.apply)
    assert_close(apply({"params": params}, rgb=rgb[:, [2, 4, 6]]), logits)
    assert not np.allclose(apply({"params": params}, rgb=rgb[:, :3]), logits, atol=1e-4)
    with pytest.raises(ValueError, match="tubelets of one frame"):
        shapes_of(video(**TINY, uniform_frames=3), rgb=rgb)


@pytest.mark.parametrize("name", LEARNERS)
def test_learned_tokens_equal_the_public_implementations(name):
    case, learner = read_case(name), LEARNERS[name]
    (grid,) = case.inputs.values()
    assert shapes_of(learner, grid) == case.tree
    assert_close(jax.jit(learner.apply)({"params": case.params}, grid), case.outputs["output"])


def test_fused_tokens_equal_the_public_implementations():
    case = read_case("tokenfuser_norm1")
    tokens, original = case.inputs.values()
    grid, fuser = original.reshape(2, 6, 6, 16), TokenFuser(bottleneck_dim=12)
    assert shapes_of(fuser, tokens, grid) == case.tree
    output: Any = jax.jit(fuser.apply)({"params": case.params}, tokens, grid)
    assert_close(output.reshape(original.shape), case.outputs["output"])


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if "_l16_" in n else ()) for n in TREES],
)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = read_trees("tokenlearner")[name]
    assert_tree(shapes_of(TREES[name], rgb=case["input"]), case)


def test_every_public_case_is_tested():
    assert TREES.keys() == read_trees("tokenlearner").keys()
    files = {p.stem for kind in ("learner", "fuser") for p in GOLDEN.glob(f"token{kind}_*.npz")}
    assert files == {*MODELS, *LEARNERS, "tokenfuser_norm1"}
