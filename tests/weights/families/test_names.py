"""Tables of names read a foreign checkpoint and write it back bit for bit."""

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.families.names import with_zero_biases
from scenic_video.weights.families.vision_transformers import TIMM

HEADS = 2
SHAPES = {
    "cls_token": (1, 1, 8),
    "pos_embed": (1, 5, 8),
    "patch_embed.proj.weight": (8, 3, 4, 4),
    "patch_embed.proj.bias": (8,),
    "norm.weight": (8,),
    "norm.bias": (8,),
}
for layer in range(11):
    SHAPES |= {
        f"blocks.{layer}.norm1.weight": (8,),
        f"blocks.{layer}.attn.qkv.weight": (24, 8),
        f"blocks.{layer}.attn.qkv.bias": (24,),
        f"blocks.{layer}.attn.proj.weight": (8, 8),
        f"blocks.{layer}.mlp.fc1.weight": (16, 8),
    }


@pytest.fixture
def leaves() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def test_reading_and_writing_back_changes_no_bit(leaves):
    params, unread = TIMM.read(leaves, heads=HEADS)
    assert not unread
    assert params["Transformer/encoderblock_10/MultiHeadDotProductAttention_0/query/kernel"].shape
    written, missing = TIMM.write(params)
    assert not missing
    assert written.keys() == leaves.keys()
    for name, array in leaves.items():
        np.testing.assert_array_equal(written[name], array)


def test_the_heads_of_a_fused_projection_are_in_order(leaves):
    params, _ = TIMM.read(leaves, heads=HEADS)
    value = params["Transformer/encoderblock_3/MultiHeadDotProductAttention_0/value/kernel"]
    tokens = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    expected = tokens @ leaves["blocks.3.attn.qkv.weight"][16:].T
    np.testing.assert_allclose(
        np.einsum("ni,ihd->nhd", tokens, value), expected.reshape(5, 2, 4), rtol=1e-5, atol=1e-5
    )


def test_what_no_rule_covers_is_named(leaves):
    _, unread = TIMM.read(leaves | {"blocks.0.ls1.gamma": np.ones(8)}, heads=HEADS)
    assert unread == ("blocks.0.ls1.gamma",)
    _, missing = TIMM.write({"bottleneck": np.ones((1, 4, 8))})
    assert missing == ("bottleneck",)


def test_an_array_with_other_axes_is_an_error(leaves):
    leaves["patch_embed.proj.weight"] = np.ones((8, 48), np.float32)
    with pytest.raises(UserError, match=r"patch_embed.proj.weight has the shape \[8, 48\]"):
        TIMM.read(leaves, heads=HEADS)


def test_biases_that_a_checkpoint_lacks_are_zeros(leaves):
    for layer in range(11):
        del leaves[f"blocks.{layer}.attn.qkv.bias"]
    params, _ = TIMM.read(leaves, heads=HEADS)
    params, added = with_zero_biases(params, [r".*/(query|key|value|out)/kernel"])
    assert added == 4 * 11  # those of the outputs are not in the fixture
    bias = params["Transformer/encoderblock_4/MultiHeadDotProductAttention_0/query/bias"]
    assert bias.shape == (2, 4) and not bias.any()


def test_a_bias_that_only_one_block_lacks_is_missing(leaves):
    del leaves["blocks.4.attn.qkv.bias"]
    params, _ = TIMM.read(leaves, heads=HEADS)
    _, added = with_zero_biases(params, [r".*/(query|key|value)/kernel"])
    assert added == 0
