"""The published data sets as recipes see them, none of which need be at hand, and the recipes."""

import functools
import json
from typing import Any

import jax
import pytest

from scenic_video.commands.recipes import Recipe, find_recipes
from scenic_video.config import build
from scenic_video.data.examples import LabelSpace
from scenic_video.modalities.inputs import InputTransform
from scenic_video.runs import flops
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.outlines import PUBLISHED
from scenic_video.runs.parts import build_task
from scenic_video.tasks.task import Task

OURS = {
    "synthetic": {"action": 10},
    "synthetic_events": {"event": 20},
    "synthetic_frames": {"place": 9, "size": 3, "brightness": 2},
    "videos": {"label": 10},
}
HEADS = {name: dict(data.heads) for name, data in PUBLISHED.items()} | OURS
MULTILABEL = tuple(name for name, data in PUBLISHED.items() if data.multilabel)
THOUSANDS = {name: data.train for name, data in PUBLISHED.items()}
"""How many thousand examples there are to train on."""

RECIPES = list(find_recipes())


def each(recipes, fast):
    """Test parameters; all but those called `fast` are slow."""
    return [
        pytest.param(r, id=r.name, marks=() if r.name in fast else pytest.mark.slow)
        for r in recipes
    ]


def of_each_file(recipes):
    """Test parameters: the recipes of a file, for tests that take no time of their own."""
    files = dict.fromkeys(r.file for r in recipes)
    return [pytest.param([r for r in recipes if r.file == file], id=file) for file in files]


def labels_of(data: str) -> LabelSpace:
    classes = {head: tuple(map(str, range(n))) for head, n in HEADS[data].items()}
    return LabelSpace(classes, multilabel=data in MULTILABEL)


def data_of(recipe: Recipe) -> str:
    """Which of `HEADS` a recipe predicts."""
    heads = () if isinstance(recipe.config.dataset, str) else recipe.config.dataset.get("heads", ())
    ours = {tuple(classes): name for name, classes in OURS.items()}
    return ours.get(tuple(heads), recipe.data)


def task_of(recipe: Recipe) -> Task:
    config = recipe.config.to_dict()
    return build_task(config, labels_of(data_of(recipe)), build(config["preprocessing"]))


def costs(recipe: Recipe) -> tuple[float, float]:
    """GFLOPs of one view, and millions of parameters; computed once for equal models."""
    nodes = ("model", "preprocessing", "augmentation")
    config = {name: recipe.config[name].to_dict() for name in nodes}
    return _costs(json.dumps(config, sort_keys=True), data_of(recipe))


@functools.cache
def _costs(config: str, data: str) -> tuple[float, float]:
    nodes: dict[str, Any] = json.loads(config)
    preprocessing, labels = build(nodes["preprocessing"]), labels_of(data)
    nodes["task"] = {"target": "scenic_video.tasks.classification:Classification"}
    model = build_task(nodes, labels, preprocessing).model  # pyright: ignore[reportAttributeAccessIssue]
    transform = InputTransform(preprocessing.modalities)
    inputs = example_batch(preprocessing, labels)["inputs"]
    rng = jax.random.key(0)
    seen = jax.eval_shape(lambda inputs: transform(inputs, rng=rng, train=False), inputs)
    shapes = {name: x.shape for name, x in seen.items() if name != "presence"}
    millions = flops.num_parameters(model, **shapes) / 1e6
    return flops.forward_gflops(model, **shapes), millions
