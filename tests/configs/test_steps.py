"""Every shipped config builds, and one full-size train and eval step of it has the right shapes."""

import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from scenic_video import trainer
from scenic_video.commands.configs import load_config
from scenic_video.commands.recipes import CONFIGS, Recipe
from scenic_video.config import build
from scenic_video.data.input.views import Views
from scenic_video.runs.device_batches import example_batch, shapes
from scenic_video.runs.parts import build_optimizer, build_task
from tests.configs.published import HEADS, MULTILABEL, RECIPES, data_of, labels_of

YOUR_VIDEOS = "your_videos.py"
RUNS = [*RECIPES, Recipe(YOUR_VIDEOS, {}, load_config([f"--config={CONFIGS / YOUR_VIDEOS}"]))]
FAST = (
    YOUR_VIDEOS,
    "vivit/kinetics400_factorised_encoder_base.py:printed",
    "mtv/epic_kitchens100_modalities.py:rgb_audio_flow",
    "tokenlearner/imagenet_base.py:b16_16_at_6",
    "avmae/vggsound_architecture.py:mid_shared",
    "avmae/vggsound_architecture.py:mid_shared_audiovisual",
)
"""One of each kind; the others are slow tests."""


def leaves(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(r, id=r.name, marks=() if r.name in FAST else pytest.mark.slow) for r in RUNS],
)
def test_a_full_size_train_and_eval_step(recipe):
    config = recipe.config.to_dict()
    left_out = ("dataset", "init", "seed", "evaluators", "learning_rate")
    config = {name: node for name, node in config.items() if name not in left_out}
    config["trainer"] = {"target": config["trainer"]["target"], "num_steps": 1000}
    check_steps(json.dumps(config), like(data_of(recipe)))


def like(data: str) -> str:
    """The first data set with as many heads, of labels of the same kind: for fewer traces."""
    kinds = {name: (len(heads), name in MULTILABEL) for name, heads in HEADS.items()}
    return next(name for name, kind in kinds.items() if kind == kinds[data])


@functools.cache
def check_steps(config: str, data: str) -> None:
    """Once for all recipes that differ only in their rates, lengths, starts and class counts."""
    nodes: dict[str, Any] = json.loads(config)
    labels, preprocessing = labels_of(data), build(nodes["preprocessing"])
    task = build_task(nodes, labels, preprocessing)
    optimizer = build_optimizer(nodes, task, 0.1)
    example, rng = example_batch(preprocessing, labels), jax.random.key(0)

    options = build(nodes["trainer"])
    init = functools.partial(trainer.init_state, task, optimizer, rng, options, example)
    state = jax.eval_shape(init)
    batch = shapes(example, build(nodes["input"]).batch_size)
    step = functools.partial(trainer.train_step, task, optimizer, rng, options)
    after, metrics = jax.eval_shape(step, state, batch)
    assert leaves(after) == leaves(state)
    assert metrics["loss"].total.dtype == jnp.float32

    evaluation = build(nodes["evaluation"])
    views = Views.parse(evaluation.views)
    size = evaluation.batch_size
    batch = shapes(example, size)
    seen = shapes(example["inputs"], size, views.num_clips * views.num_crops)
    evaluate = functools.partial(trainer.eval_step, task, rng)
    output = jax.eval_shape(evaluate, state, batch | {"inputs": seen})
    assert output.loss.shape == ()
    for head, logits in output.predictions.items():
        assert logits.shape == (size, labels.num_classes[head])
    is_classification = "Classification" in nodes["task"]["target"]
    assert output.predictions.keys() == (labels.classes.keys() if is_classification else set())
