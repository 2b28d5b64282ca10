"""What multiview models promise beyond the public implementation's outputs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.mtv.model import MTV
from projects.mtv.views import View
from scenic_video.layers.view_fusion import Bottleneck, MLPFusion
from tests.helpers.drawn import drawn

# Widths, depths, patches and lengths all differ.
VIEWS = (
    View(16, 32, num_layers=2, num_heads=2, tubelet_size=(2, 8, 8)),
    View(8, 16, num_layers=1, num_heads=1, tubelet_size=(4, 12, 8)),
)
FIELDS: dict[str, Any] = {
    "num_classes": 5,
    "global_mlp_dim": 16,
    "global_num_layers": 1,
    "global_num_heads": 2,
}
CLIP = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 8, 24, 24, 3)), jnp.float32)


def outputs(models, **arguments):
    """The logits of models of one parameter tree."""
    shapes: Any = jax.eval_shape(lambda: models[0].init(jax.random.key(0), rgb=CLIP))
    variables: Any = drawn(shapes)
    return [jax.jit(lambda v, m=m: m.apply(v, rgb=CLIP, **arguments))(variables) for m in models]


@pytest.mark.parametrize(
    "fusion", [MLPFusion(layers=(0,)), Bottleneck(layers=(0,))], ids=["mlp", "bottleneck"]
)
def test_views_of_any_size_meet_in_either_order(fusion):
    models = [MTV(**FIELDS, views=views, fusion=fusion) for views in (VIEWS, VIEWS[::-1])]
    one, other = outputs(models)
    assert one.shape == (2, 5) and np.ptp(one) > 0.01
    assert (one == other).all()


def test_repeating_frame_by_frame_is_not_tiling_them():
    tile, repeat = outputs(
        [MTV(**FIELDS, views=VIEWS, repetition=how) for how in ("tile", "repeat")]
    )
    assert not np.allclose(tile, repeat, atol=1e-3)


@pytest.mark.slow
def test_bfloat16_stays_near_float32_and_returns_float32():
    precise, fast = outputs(
        [
            MTV(**FIELDS, views=VIEWS, fusion=Bottleneck(layers=(0,)), dtype=dtype)
            for dtype in ("float32", "bfloat16")
        ]
    )
    assert fast.dtype == jnp.float32
    assert 0 < np.abs(fast - precise).max() < 0.05 * np.abs(precise).max()


def test_views_of_one_size_share_widths_but_no_parameters():
    """As in "B/2+B/4+B/8": the bottleneck never changes its width, so nothing projects it."""
    sizes: Any = {"hidden_size": 8, "mlp_dim": 16, "num_layers": 1, "num_heads": 2}
    views = [View(**sizes, tubelet_size=(time, 8, 8)) for time in (2, 4, 8)]
    model = MTV(**FIELDS, views=views, fusion=Bottleneck(layers=(0,)))
    variables: Any = jax.eval_shape(lambda: model.init(jax.random.key(0), rgb=CLIP))
    shapes = variables["params"]
    blocks = [name for name in shapes["MultiviewEncoder"] if name.startswith("encoderblock")]
    assert sorted(blocks) == [f"encoderblock_0_view{view}" for view in range(3)]
    assert not any("linear" in name for name in shapes["MultiviewEncoder"])
    assert shapes["cls_global"].shape == (1, 1, 24)
