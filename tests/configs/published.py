"""The published data sets as recipes see them, none of which need be at hand, and the recipes."""

import functools
import json
from typing import Any

import jax

from scenic_video import flops
from scenic_video.commands.batches import example_batch
from scenic_video.commands.building import build_task, build_transform
from scenic_video.commands.recipes import Recipe, find_recipes
from scenic_video.config import build
from scenic_video.data.examples import LabelSpace
from scenic_video.tasks.task import Task

HEADS = {
    "kinetics400": {"label": 400},
    "kinetics600": {"label": 600},
    "kinetics700": {"label": 700},
    "moments_in_time": {"label": 339},
    "epic_kitchens": {"noun": 300, "verb": 97},
    "something_something": {"label": 174},
    "vggsound": {"label": 309},
    "audioset_balanced": {"label": 527},
    "audioset_500k": {"label": 527},
    "audioset_unbalanced": {"label": 527},
    "charades": {"action": 157},
    "avid": {"label": 887},
    "imagenet": {"label": 1000},
    "synthetic": {"action": 10},
    "synthetic_events": {"event": 20},
    "videos": {"label": 10},
}
MULTILABEL = ("audioset_balanced", "audioset_500k", "audioset_unbalanced", "charades")
THOUSANDS = {
    "kinetics400": 240,
    "kinetics600": 392,
    "kinetics700": 545,
    "moments_in_time": 791,
    "epic_kitchens": 67,
    "something_something": 169,
    "vggsound": 184,
    "audioset_balanced": 22,
    "audioset_500k": 500,
    "audioset_unbalanced": 2042,
    "charades": 8,
    "avid": 410,
    "imagenet": 1281,
}
"""How many thousand examples there are to train on."""

RECIPES = list(find_recipes())


def labels_of(data: str) -> LabelSpace:
    classes = {head: tuple(map(str, range(n))) for head, n in HEADS[data].items()}
    return LabelSpace(classes, multilabel=data in MULTILABEL)


def data_of(recipe: Recipe) -> str:
    """Which of `HEADS` a recipe predicts."""
    heads = () if isinstance(recipe.config.dataset, str) else recipe.config.dataset.get("heads", ())
    return "synthetic_events" if tuple(heads) == ("event",) else recipe.data


def task_of(recipe: Recipe) -> Task:
    config = recipe.config.to_dict()
    return build_task(config, labels_of(data_of(recipe)), build(config["preprocessing"]))


def costs(recipe: Recipe) -> tuple[float, float]:
    """GFLOPs of one view, and millions of parameters; computed once for equal models."""
    nodes = ("model", "preprocessing", "transform", "sound_transform")
    config = {name: recipe.config[name].to_dict() for name in nodes}
    return _costs(json.dumps(config, sort_keys=True), data_of(recipe))


@functools.cache
def _costs(config: str, data: str) -> tuple[float, float]:
    nodes: dict[str, Any] = json.loads(config)
    preprocessing, labels = build(nodes["preprocessing"]), labels_of(data)
    nodes["task"] = {"target": "scenic_video.tasks.classification:Classification"}
    model = build_task(nodes, labels, preprocessing).model  # pyright: ignore[reportAttributeAccessIssue]
    transform = build_transform(nodes, preprocessing)
    inputs = example_batch(preprocessing, labels)["inputs"]
    rng = jax.random.key(0)
    seen = jax.eval_shape(lambda inputs: transform(inputs, rng=rng, train=False), inputs)
    shapes = {name: x.shape for name, x in seen.items() if name != "presence"}
    millions = flops.num_parameters(model, **shapes) / 1e6
    return flops.forward_gflops(model, **shapes), millions
