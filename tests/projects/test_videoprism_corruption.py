"""A public file of VideoPrism with a corrupted array is refused in words, or loaded unchanged."""

from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from projects.vivit.videoprism.model import VideoPrism
from projects.vivit.videoprism.pretrained import from_videoprism
from scenic_video.config import build
from scenic_video.errors import UserError
from scenic_video.weights.containers import npz
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from tests.helpers.golden import read_case
from tests.weights.corrupted_leaves import HOSTILE, KINDS, PRECISION

SEEDS = [range(12), pytest.param(range(12, 204), marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_corrupted_array_is_refused_in_words(seeds: range, tmp_path):
    clean: Any = flatten_dict(read_case("videoprism").params, sep="/")
    expected, target = read(clean, tmp_path)
    for seed in seeds:
        rng, kind = np.random.default_rng(seed), [*KINDS][seed % len(KINDS)]
        leaves = dict(clean)
        KINDS[kind](leaves, [*clean][rng.integers(len(clean))], rng)
        if kind in (HOSTILE, PRECISION):  # nothing that npz can hold, or only a rounding
            found, _ = read(leaves, tmp_path, target)
            jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-2), found, expected)
            continue
        with pytest.raises(UserError):
            read(leaves, tmp_path, target)


def read(leaves: Any, folder: Any, target: ModelWeights | None = None) -> tuple[Any, ModelWeights]:
    """The parameters of a model that starts from a file of these arrays, and what it started as."""
    path = folder / "flax.npz"
    npz.write(path, {f"params/{name}": x for name, x in leaves.items()})
    weights = read_weights(path)
    if target is None:
        target = zeros(build({**(weights.model or {}), "num_classes": 3}))
    return from_videoprism(target=target, source=to_model_weights(weights, name="x"))[0], target


def zeros(model: VideoPrism) -> ModelWeights:
    clip = jax.ShapeDtypeStruct((1, 4, 18, 18, 3), np.float32)
    shapes: Any = jax.eval_shape(lambda x: model.init(jax.random.key(0), rgb=x), clip)["params"]
    params = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    return ModelWeights(params, {"rgb": (4, 18, 18)})
