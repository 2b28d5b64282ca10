"""A model is built only with all of its parameters."""

from typing import Any

import jax
import numpy as np
import pytest

from projects.vivit.model import ViT
from scenic_video.errors import UserError
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights
from tests.helpers.drawn import leaves, parameters

SIZES: dict[str, Any] = {
    "hidden_size": 8, "mlp_dim": 8, "num_layers": 1, "num_heads": 2, "patch_size": (4, 4),
}  # fmt: skip
HEAD = ("output_projection/kernel", "output_projection/bias")


def without(*names: str) -> Weights:
    model: Any = ViT(num_classes=3, **SIZES)
    image = jax.ShapeDtypeStruct((1, 8, 8, 3), np.float32)
    params = leaves(parameters(model, rgb=image))
    kept = {path: x for path, x in params.items() if path not in names}
    node = {"target": "projects.vivit.model:ViT", **SIZES}
    return Weights(family="ViT", params=kept, model=node, inputs={"rgb": (1, 8, 8)})


def test_a_model_without_a_head_gives_features():
    assert not build_model(without(*HEAD), name="w").has_head


def test_half_a_head_is_an_error():
    with pytest.raises(UserError, match="output_projection/kernel is missing"):
        build_model(without(HEAD[0]), name="w")
