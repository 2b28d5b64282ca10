"""Every shipped config builds, and one full-size train and eval step of it has the right shapes."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from scenic_video import trainer
from scenic_video.commands.configs import load_config
from scenic_video.commands.experiment import build_task, example_batch
from scenic_video.config import build
from scenic_video.data.examples import LabelSpace
from scenic_video.views import Views

ROOT = Path(__file__).parents[2]
CLASSES = {
    "kinetics400": {"label": 400},
    "kinetics600": {"label": 600},
    "moments_in_time": {"label": 339},
    "epic_kitchens100": {"noun": 300, "verb": 97},
    "something_something_v2": {"label": 174},
    "synthetic": {"action": 10},
}
VARIANTS = {
    "kinetics400_joint_large": ("224", "288", "320"),
    "kinetics400_input_encoding_base": (
        "central_frame",
        "filter_inflation",
        "random",
        "uniform_frames",
    ),
    "ssv2_factorised_encoder_large": ("printed", "released"),
}
RUNS = [
    (path.relative_to(ROOT).as_posix() + (f":{variant}" if variant else ""))
    for path in sorted((ROOT / "configs").rglob("*.py"))
    if path.stem not in ("__init__", "common")
    for variant in VARIANTS.get(path.stem, ("",))
]


def labels_of(config):
    """The label space of the dataset that a config names, which need not be at hand."""
    if "splits" not in config["dataset"] or isinstance(config["dataset"], str):
        heads = CLASSES["synthetic"]
    else:
        heads = CLASSES[config["dataset"]["splits"]["train"].split("/")[1]]
    return LabelSpace({head: tuple(map(str, range(n))) for head, n in heads.items()})


def abstract(tree, batch_size):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((batch_size, *x.shape[1:]), x.dtype), tree)


@pytest.mark.parametrize("run", RUNS)
def test_a_full_size_train_and_eval_step(run, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = load_config([f"--config={run}"]).to_dict()
    labels, preprocessing = labels_of(config), build(config["preprocessing"])
    task = build_task(config, labels, preprocessing)
    schedule = build(config["learning_rate"], num_steps=1000, steps_per_epoch=100)
    optimizer = build(config["optimizer"], learning_rate=schedule)
    options = build(config["trainer"])
    example = example_batch(preprocessing, labels)
    rng = jax.random.key(0)

    state = jax.eval_shape(functools.partial(trainer.init_state, task, optimizer, rng, example))
    batch = abstract(example, build(config["input"]).batch_size)
    step = functools.partial(trainer.train_step, task, optimizer, rng, options)
    after, metrics = jax.eval_shape(step, state, batch)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype), state
    )
    assert metrics["loss"].total.dtype == jnp.float32

    evaluation = build(config["evaluation"])
    views = Views.parse(evaluation.views)
    batch = abstract(example, evaluation.batch_size)
    rgb = batch["inputs"]["rgb"]
    num_views = views.num_clips * views.num_crops
    rgb = jax.ShapeDtypeStruct((rgb.shape[0], num_views, *rgb.shape[1:]), rgb.dtype)
    output = jax.eval_shape(
        functools.partial(trainer.eval_step, task, rng), state, batch | {"inputs": {"rgb": rgb}}
    )
    for head, num_classes in labels.num_classes.items():
        assert output.predictions[head].shape == (evaluation.batch_size, num_classes)
