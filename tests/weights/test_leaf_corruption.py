"""A checkpoint with a corrupted array is refused in words, or loaded with a whole report."""

import collections
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from projects.vivit.model import ViT
from scenic_video.errors import UserError
from scenic_video.weights.families.vision_transformers import TIMM, flax_tower
from scenic_video.weights.initialize import LoadReport, initialize
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from tests.helpers.drawn import drawn
from tests.weights.corrupted_leaves import FLAX, KINDS, NAMED, PRECISION, TORCH, written

SEEDS = [range(24), pytest.param(range(24, 84), marks=pytest.mark.slow)]
"""Of the corruptions of each container, seven of each kind."""
SIZES: dict[str, Any] = {
    "num_classes": 3, "hidden_size": 192, "mlp_dim": 8, "num_layers": 2, "num_heads": 3,
    "patch_size": (4, 4), "classifier": "token",
}  # fmt: skip
WRITERS = {name: (flax_tower("head"), write) for name, write in FLAX.items()}
WRITERS |= {name: (TIMM, write) for name, write in TORCH.items()}


@pytest.fixture(scope="module")
def target() -> ModelWeights:
    model: Any = ViT(**SIZES)
    image = jax.ShapeDtypeStruct((1, 8, 12, 3), np.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), rgb=x), image)["params"]
    return ModelWeights(drawn(shapes), name="this model")


def load(path: Path, target: ModelWeights) -> LoadReport:
    source = to_model_weights(read_weights(path), name=path.name)
    params, report = initialize(target=target, source=source)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-2), params, target.params)
    return report


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("container", WRITERS)
def test_a_corrupted_array_is_named_or_reported(
    container: str, seeds: range, target: ModelWeights, tmp_path: Path
):
    table, write = WRITERS[container]
    clean, _ = table.write(target.flat)
    ends: collections.Counter[tuple[str, str]] = collections.Counter()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        kind = [*KINDS][seed % len(KINDS)]
        leaves = dict(clean)
        name = KINDS[kind](leaves, [*clean][rng.integers(len(clean))], rng)
        path, trap = tmp_path / f"w{seed}", tmp_path / "trap"
        written(path, kind, write, leaves, trap)
        try:
            report = load(path, target)
        except UserError as error:
            ends[kind, "refused"] += 1
            names = (name, *table.read({name: clean[name]}, heads=3)[0])
            names += ("No known family of models",)  # the patch kernel tells families apart
            assert kind not in NAMED or any(x in str(error) for x in names), (name, str(error))
        else:
            ends[kind, "loaded"] += 1
            assert kind == PRECISION and report.coverage == 1 and not report.unused, (kind, name)
        assert not trap.exists()
    print(container, dict(ends))
    assert ends[PRECISION, "loaded"] == len(seeds) // len(KINDS)
