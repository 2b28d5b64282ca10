"""Compares models of other libraries with the models here that read their checkpoints."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from scenic_video.config import build
from scenic_video.weights.families.family import Family, Weights, installed_families, recognise
from scenic_video.weights.locations.reading import read


def randomize(model: Any, seed: int = 0) -> Any:
    """Values large enough that each parameter matters to the output."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.2)
                if name.endswith("weight") and parameter.ndim == 1:  # of a norm
                    parameter.add_(1)
    return model.eval()


def read_saved(folder: Path) -> tuple[Family, Weights, dict[str, np.ndarray]]:
    """What is read of a folder that `save_pretrained` wrote."""
    file = read(folder)
    family = recognise(file.shapes, installed_families())
    return family, family.read(file.leaves, file.metadata), dict(file.leaves)


def run(
    weights: Weights,
    inputs: dict[str, np.ndarray],
    *,
    num_classes: int | None = None,
    **fields: Any,
) -> np.ndarray:
    """Logits, or without `num_classes` the features that a head would read."""
    assert weights.model is not None
    model = build({**weights.model, "num_classes": num_classes or 1, **fields})
    params = dict(weights.params)
    if num_classes is None:
        width = model.hidden_size
        params["output_projection/kernel"] = np.zeros((width, 1), np.float32)
        params["output_projection/bias"] = np.zeros(1, np.float32)
    variables = {"params": unflatten_dict(params, sep="/")}
    apply = jax.jit(functools.partial(model.apply, mutable="intermediates"))
    logits, state = apply(variables, **inputs)
    return logits if num_classes else state["intermediates"]["features"][0]


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Weights]:
    """A function that saves a model, reads it here, and compares outputs and what is written."""

    def compare(
        theirs: Any, inputs: dict[str, np.ndarray], expected: Any, **fields: Any
    ) -> Weights:
        theirs.save_pretrained(tmp_path)
        family, weights, leaves = read_saved(tmp_path)
        assert not weights.rest
        assert weights.model is not None
        ours = run(weights, inputs, **fields)
        np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
        written, _ = family.write(weights)
        kept = {name: x for name, x in leaves.items() if name not in weights.dropped}
        assert written.keys() == kept.keys()
        for name, array in kept.items():
            np.testing.assert_array_equal(written[name], array)
        return weights

    return compare
