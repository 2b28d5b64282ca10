"""Multiview transformers in the task that trains them: several heads, audio that some lack."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from projects.mtv.model import MTV
from projects.mtv.views import View
from scenic_video.config import build
from scenic_video.layers.view_fusion import CrossViewAttention
from scenic_video.tasks.classification import Classification
from tests.helpers.drawn import drawn

RGB = View(16, 16, num_layers=1, num_heads=2, tubelet_size=(2, 8, 8))
AUDIO = View(8, 16, num_layers=1, num_heads=2, tubelet_size=(8, 16), modality="audio")
HEADS = {"noun": 5, "verb": 3}
MODEL = MTV(
    num_classes=8,
    views=(RGB, AUDIO),
    fusion=CrossViewAttention(layers=(0,)),
    global_mlp_dim=16,
    global_num_layers=1,
    global_num_heads=2,
)


def as_it_is(inputs, *, rng, train):
    return dict(inputs)


def batch_of(**changed):
    """Two examples; the second has no audio."""
    random = np.random.default_rng(0)
    inputs = {
        "rgb": random.uniform(-1, 1, (2, 4, 16, 16, 3)).astype(np.float32),
        "audio": random.uniform(-1, 1, (2, 16, 32, 1)).astype(np.float32),
        "presence": {"rgb": np.ones(2, np.float32), "audio": np.array([1, 0], np.float32)},
    }
    label = {head: np.array([0, 1], np.int32) for head in HEADS}
    return {"inputs": inputs | changed, "label": label, "mask": np.ones(2, np.float32)}


@functools.cache
def task_and_variables():
    task: Any = Classification(model=MODEL, heads=HEADS, transform=as_it_is)
    shapes: Any = jax.eval_shape(lambda batch: task.init(jax.random.key(0), batch), batch_of())
    step = jax.jit(lambda v, batch: task(v, batch, rng=jax.random.key(1), train=True))
    return step, drawn(shapes)


def test_heads_share_the_logits_of_one_model():
    step, variables = task_and_variables()
    output = step(variables, batch_of())
    assert {head: x.shape for head, x in output.predictions.items()} == {
        "noun": (2, 5),
        "verb": (2, 3),
    }
    inputs = batch_of()["inputs"]
    apply: Any = jax.jit(lambda variables, inputs: MODEL.apply(variables, **inputs))
    logits = apply(variables, inputs)
    both = jnp.concatenate([output.predictions[head] for head in HEADS], axis=-1)
    np.testing.assert_allclose(both, logits, atol=1e-5)
    assert np.isfinite(output.loss) and {"top1", "noun_top1", "verb_top1"} & output.metrics.keys()


def test_the_loss_does_not_depend_on_the_values_of_absent_audio():
    step, variables = task_and_variables()
    audio = batch_of()["inputs"]["audio"]
    loss = step(variables, batch_of()).loss
    assert step(variables, batch_of(audio=audio + [[[[0.0]]], [[[9.0]]]])).loss == loss
    assert step(variables, batch_of(audio=audio + [[[[9.0]]], [[[0.0]]]])).loss != loss


def test_a_config_of_several_modalities_builds_it():
    node = {
        "target": "projects.mtv.model:MTV",
        "views": "Ti/2:rgb+Ti/16x16:audio+Ti/4:flow",
        "fusion": {"target": "scenic_video.layers.view_fusion:Bottleneck", "layers": [10, 11]},
    }
    model = build(node, num_classes=sum(HEADS.values()))
    assert [view.modality for view in model.views] == ["flow", "audio", "rgb"]
    assert hash(model) == hash(build(node, num_classes=8))
