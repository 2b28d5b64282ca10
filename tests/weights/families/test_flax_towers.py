"""The layouts of Flax vision transformers, written with the names of each code base."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from projects.vivit.model import ViT
from scenic_video.weights.families.family import installed_families, recognise

SIZES: dict[str, Any] = {
    "num_classes": 3,
    "hidden_size": 8,
    "mlp_dim": 16,
    "num_layers": 2,
    "num_heads": 2,
    "patch_size": (4, 4),
}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
BLOCK = "Transformer/encoderblock_{}/"
TABLE = "Transformer/posembed_input/pos_embedding"


def tower(**fields: Any) -> tuple[ViT, dict[str, np.ndarray]]:
    """A model, and parameters that all matter to its logits."""
    model = ViT(**(SIZES | fields))
    shapes: Any = jax.eval_shape(model.init, jax.random.key(0), rgb=IMAGES)["params"]
    rng = np.random.default_rng(1)
    params: dict[str, Any] = flatten_dict(shapes, sep="/")  # pyright: ignore[reportAssignmentType]
    flat = {
        path: (rng.normal(size=leaf.shape) * 0.3 + path.endswith("scale")).astype(np.float32)
        for path, leaf in params.items()
    }
    return model, flat


def logits(model: ViT, params: Any) -> np.ndarray:
    return np.asarray(
        model.apply({"params": unflatten_dict(dict(params), sep="/")}, rgb=jnp.asarray(IMAGES))
    )


def renamed(params: dict[str, np.ndarray], *pairs: tuple[str, str]) -> dict[str, np.ndarray]:
    found = {}
    for path, array in params.items():
        for old, new in pairs:
            path = path.replace(old, new)
        found[path] = array
    return found


HEAD = ("output_projection", "head")


def big_vision(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Positions outside of the encoder, scanned layers."""
    params = renamed(params, HEAD)
    params["pos_embedding"] = params.pop(TABLE)
    first = BLOCK.format(0)
    for path in [x for x in params if x.startswith(first)]:
        layers = [params.pop(path.replace(first, BLOCK.format(i))) for i in range(2)]
        params[path.replace("encoderblock_0", "encoderblock")] = np.stack(layers)
    return params


@pytest.mark.parametrize(
    "written, fields, name",
    [
        (lambda x: renamed(x, HEAD), {"classifier": "token"}, "vision_transformer"),
        (lambda x: renamed(x, HEAD), {"representation_size": 8}, "vision_transformer"),
        (big_vision, {"classifier": "gap"}, "big_vision"),
        (big_vision, {"classifier": "map"}, "big_vision"),
        (dict, {"classifier": "token"}, "ViT of Scenic"),
    ],
)
def test_every_layout_gives_the_same_logits(written, fields, name):
    model, params = tower(**fields)
    leaves = written(params)
    family = recognise(leaves, installed_families())
    weights = family.read(leaves, {})
    assert name in family.name and not weights.rest
    assert weights.model is not None
    node = {name: x for name, x in weights.model.items() if name != "target"}
    assert all(getattr(model, name) == x for name, x in node.items())
    np.testing.assert_array_equal(logits(model, weights.params), logits(model, params))


def test_positions_without_a_class_token_get_a_zero_for_it():
    model, params = tower(classifier="token")
    params[TABLE][:, 0] = 0
    leaves = renamed(params, HEAD)
    leaves["pos_embedding"] = leaves.pop(TABLE)[:, 1:]
    weights = recognise(leaves, installed_families()).read(leaves, {})
    assert "the position of the class token is zero" in weights.notes
    np.testing.assert_array_equal(logits(model, weights.params), logits(model, params))


def test_bfloat16_stays_what_it_is():
    _, params = tower()
    leaves = {name: x.astype(ml_dtypes.bfloat16) for name, x in renamed(params, HEAD).items()}
    weights = recognise(leaves, installed_families()).read(leaves, {})
    assert {x.dtype for x in weights.params.values()} == {np.dtype(ml_dtypes.bfloat16)}
