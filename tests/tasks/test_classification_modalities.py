"""Classification of examples that have several modalities, or lack some of them."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from projects.avmae.model import MBT, PretrainedMBT
from scenic_video import trainer
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.mixup import Mixing
from scenic_video.tasks.task import FeatureExtractor
from tests.helpers.transforms import to_inputs

SIZE = 6
AUDIO = jnp.asarray([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
RNG = jax.random.key(0)
MIXMOD = Mixing(mixup_alpha=0.5, mixmod=True)


class Streams(nn.Module):
    """The smallest model of two modalities: logits of each from its mean."""

    num_classes: int = 4
    joint: bool = False

    @nn.compact
    def __call__(self, *, rgb, audio, presence=None, train=False):
        inputs = {"rgb": rgb, "audio": audio}
        logits = {
            name: nn.Dense(self.num_classes, name=name)(x.mean(axis=tuple(range(1, x.ndim - 1))))
            for name, x in inputs.items()
        }
        if train and not self.joint:
            return logits
        shown = jnp.stack([jnp.ones(len(rgb)) if presence is None else presence[m] for m in logits])
        stacked = jnp.stack(list(logits.values()))
        total = (stacked * shown[..., None]).sum(axis=0)
        mean = total / jnp.maximum(shown.sum(axis=0), 1)[:, None]
        self.sow("intermediates", "features", mean)
        return mean


def make_task(model=None, **fields):
    model = Streams() if model is None else model
    return Classification(model=model, heads={"action": 4}, transform=to_inputs, **fields)


def make_batch(*, views=None, audio: Any = AUDIO, seed=0):
    values = np.random.default_rng(seed)
    lead = (SIZE,) if views is None else (SIZE, views)
    inputs = {
        "rgb": jnp.asarray(values.normal(size=(*lead, 2, 8, 8, 3)), jnp.float32),
        "audio": jnp.asarray(values.normal(size=(*lead, 16, 16, 1)), jnp.float32),
    }
    if audio is not None:
        inputs["has_audio"] = jnp.broadcast_to(audio.reshape(-1, *(1,) * (len(lead) - 1)), lead)
    label = {"action": jnp.asarray(values.integers(0, 4, SIZE), jnp.int32)}
    return {"inputs": inputs, "label": label, "mask": jnp.ones(SIZE)}


def variables_of(task, batch):
    return task.init(RNG, batch)


def with_other_silence(batch):
    """The batch with other values where a spectrogram is absent."""
    audio = batch["inputs"]["audio"]
    silent = batch["inputs"]["has_audio"].reshape(*batch["inputs"]["has_audio"].shape, 1, 1, 1) == 0
    changed = jnp.where(jnp.broadcast_to(silent, audio.shape), 100.0 - audio, audio)
    return batch | {"inputs": batch["inputs"] | {"audio": changed}}


def losses_by_stream(task, variables, batch):
    logits = task.model.apply(
        variables, rgb=batch["inputs"]["rgb"], audio=batch["inputs"]["audio"],
        train=True,
    )  # fmt: skip
    target = jax.nn.one_hot(batch["label"]["action"], 4)
    return {name: optax.softmax_cross_entropy(x, target) for name, x in logits.items()}, logits


def test_an_example_is_held_to_the_logits_of_each_modality_that_it_has():
    task, batch = make_task(), make_batch()
    variables = variables_of(task, batch)
    output = task(variables, batch, rng=RNG, train=True)
    losses, logits = losses_by_stream(task, variables, batch)
    both = (losses["rgb"] + losses["audio"]) / 2
    expected = jnp.where(AUDIO > 0, both, losses["rgb"])
    assert float(output.loss) == pytest.approx(float(expected.mean()), rel=1e-6)
    mean = jnp.where(AUDIO[:, None] > 0, sum(logits.values()) / 2, logits["rgb"])
    np.testing.assert_allclose(output.predictions["action"], mean, rtol=1e-5)


@pytest.mark.parametrize(
    ("train", "joint", "fields"),
    [
        (True, False, {"mixing": MIXMOD}),
        (True, True, {"mixing": Mixing(mixup_alpha=0.5, cutmix_alpha=1.0)}),
        (False, True, {}),
    ],
)
def test_what_an_absent_modality_holds_changes_nothing(train, joint, fields):
    task = make_task(Streams(joint=joint), **fields)
    batch = make_batch(views=None if train else 2)
    variables = variables_of(task, make_batch())

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(params, batch):
        return task({"params": params}, batch, rng=RNG, train=train).loss

    found = loss_and_gradient(variables["params"], batch)
    other = loss_and_gradient(variables["params"], with_other_silence(batch))
    jax.tree.map(np.testing.assert_array_equal, found, other)


@pytest.mark.parametrize("train", [True, False])
def test_an_example_without_any_modality_counts_nothing(train):
    batch = make_batch(views=None if train else 1)
    alone = Classification(
        model=AudioAlone(), heads={"action": 4}, transform=lambda x, *, rng, train: audio_of(x)
    )
    variables = alone.init(RNG, make_batch())
    output = alone(variables, batch, rng=RNG, train=train)
    assert float(output.weight) == 4
    audible = jnp.flatnonzero(AUDIO)
    rest = jax.tree.map(lambda x: x[audible], batch)
    expected = alone(variables, rest, rng=RNG, train=train)
    assert float(output.loss) == pytest.approx(float(expected.loss), rel=1e-6)
    for name in ("loss", "top1"):
        assert output.metrics[name].compute() == pytest.approx(expected.metrics[name].compute())


class AudioAlone(nn.Module):
    @nn.compact
    def __call__(self, audio, train=False):
        return nn.Dense(4)(audio.mean(axis=(1, 2)))


def audio_of(inputs):
    return {
        "audio": inputs["audio"],
        "presence": {"audio": inputs["has_audio"]},
    }


def test_one_model_is_evaluated_with_audio_alone_frames_alone_and_both():
    batch = make_batch(views=1)
    variables = variables_of(make_task(), make_batch())
    first = jax.tree.map(lambda x: x[:, 0], batch["inputs"])
    _, logits = losses_by_stream(make_task(), variables, batch | {"inputs": first})
    for names in (("rgb",), ("audio",), ("rgb", "audio"), None):
        output = make_task(modalities=names)(variables, batch, rng=RNG, train=False)
        shown = {m: jnp.full(SIZE, float(m in (names or logits))) for m in logits}
        shown["audio"] *= AUDIO
        weight = sum(shown.values())
        expected = (
            sum(logits[m] * shown[m][:, None] for m in logits) / jnp.maximum(weight, 1)[:, None]
        )
        some = np.asarray(weight > 0)
        found = output.predictions["action"]
        np.testing.assert_allclose(found[some], expected[some], rtol=1e-5, atol=1e-6)
        assert float(output.weight) == some.sum()


def test_views_without_the_shown_modality_do_not_count():
    batch = make_batch(views=2)
    audible = jnp.stack([AUDIO, jnp.ones(SIZE)], axis=1)
    batch["inputs"]["has_audio"] = audible
    task = make_task(modalities=("audio",))
    variables = variables_of(task, make_batch())
    output = task(variables, batch, rng=RNG, train=False)
    assert float(output.weight) == SIZE
    second = batch | {"inputs": jax.tree.map(lambda x: x[:, 1:], batch["inputs"])}
    alone = task(variables, second, rng=RNG, train=False)
    silent = np.asarray(AUDIO == 0)
    np.testing.assert_allclose(
        output.predictions["action"][silent], alone.predictions["action"][silent], rtol=1e-6
    )


def test_modalities_of_evaluation_are_ignored_in_training_and_must_be_inputs():
    batch = make_batch()
    variables = variables_of(make_task(), batch)
    plain = make_task()(variables, batch, rng=RNG, train=True)
    shown = make_task(modalities=("rgb",))(variables, batch, rng=RNG, train=True)
    assert float(plain.loss) == float(shown.loss)
    with pytest.raises(ValueError, match="task.modalities names flow"):
        make_task(modalities=("flow",))(variables, make_batch(views=1), rng=RNG, train=False)


def test_mixmod_mixes_every_modality_and_its_labels_on_their_own():
    batch = make_batch(audio=None)
    task = make_task(mixing=MIXMOD)
    variables = variables_of(task, batch)
    output = task(variables, batch, rng=RNG, train=True)
    target = jax.nn.one_hot(batch["label"]["action"], 4)
    _, mixup_rng, *_ = jax.random.split(RNG, 4)
    losses = []
    for index, name in enumerate(("rgb", "audio")):
        share = jax.random.beta(jax.random.fold_in(mixup_rng, index), 0.5, 0.5)
        blend = lambda x, share=share: share * x + (1 - share) * x[::-1]  # noqa: E731
        logits = task.model.apply(
            variables, **{m: blend(x) for m, x in batch["inputs"].items()}, train=True
        )
        losses.append(optax.softmax_cross_entropy(logits[name], blend(target)))
    expected = jnp.stack(losses).mean()
    assert float(output.loss) == pytest.approx(float(expected), rel=1e-5)


def test_mixmod_of_a_model_with_one_array_of_logits_is_an_error():
    task, batch = make_task(Streams(joint=True), mixing=MIXMOD), make_batch()
    with pytest.raises(ValueError, match="must return {modality: logits} in training"):
        task(variables_of(task, batch), batch, rng=RNG, train=True)


def test_one_array_of_logits_is_held_to_the_mean_label_of_what_is_there():
    batch = make_batch()
    task = make_task(Streams(joint=True), mixing=Mixing(mixup_alpha=0.5))
    variables = variables_of(task, batch)
    _, mixup_rng, *_ = jax.random.split(RNG, 4)
    share = jax.random.beta(mixup_rng, 0.5, 0.5)
    output = task(variables, batch, rng=RNG, train=True)
    target = jax.nn.one_hot(batch["label"]["action"], 4)
    # Rows 1 and 4 have no audio and are each other's partners: frames alone tell their labels.
    mixed = share * target + (1 - share) * target[::-1]
    loss = optax.softmax_cross_entropy(output.predictions["action"], mixed).mean()
    assert float(output.loss) == pytest.approx(float(loss), rel=1e-5)


def test_modality_dropout_hides_modalities_in_training_only():
    batch = make_batch(audio=None)
    task = make_task(modality_dropout={"rgb": 0.9})
    variables = variables_of(task, batch)
    output = task(variables, batch, rng=RNG, train=True)
    _, logits = losses_by_stream(task, variables, batch)
    mean = (logits["rgb"] + logits["audio"]) / 2
    found = output.predictions["action"]
    audio_alone = np.isclose(found, logits["audio"], atol=1e-6).all(axis=1)
    whole = np.isclose(found, mean, atol=1e-6).all(axis=1)
    assert audio_alone.any() and (audio_alone | whole).all()
    views = batch | {"inputs": jax.tree.map(lambda x: x[:, None], batch["inputs"])}
    evaluated = task(variables, views, rng=RNG, train=False)
    np.testing.assert_allclose(evaluated.predictions["action"], mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"modality_dropout": {"rgb": 1.0}}, "modality_dropout is {'rgb': 1.0}; wanted .* below 1"),
        ({"modalities": ()}, "of length 1 or more"),
    ],
)
def test_fields_that_make_no_sense_are_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        make_task(**fields)


def test_features_are_the_mean_over_views_of_what_the_model_sows():
    task, batch = make_task(), make_batch(views=2)
    variables = variables_of(task, make_batch())
    assert isinstance(task, FeatureExtractor)
    features = task.features(variables, batch)
    output = task(variables, batch, rng=RNG, train=False)  # these features are its logits
    np.testing.assert_allclose(features, output.predictions["action"], rtol=1e-5)
    shown = make_task(modalities=("rgb",)).features(variables, batch)
    assert not np.allclose(shown, features)


def test_a_model_without_features_says_so():
    task = Classification(
        model=AudioAlone(), heads={"action": 4}, transform=lambda x, **_: audio_of(x)
    )
    variables = task.init(RNG, make_batch())
    with pytest.raises(ValueError, match="AudioAlone sows no features"):
        task.features(variables, make_batch(views=1))


@functools.cache
def fine_tuned(model_class):
    """A real model after a step on a batch in which some lack audio; outputs then differ."""
    model = model_class(
        num_classes=4, hidden_size=8, mlp_dim=16, num_layers=1, num_heads=2, fusion_layer=0,
        num_bottlenecks=2, tubelet_size=(2, 8, 8), classifier="token",
    )  # fmt: skip
    task = make_task(model, mixing=MIXMOD, modality_dropout={"audio": 0.3})
    optimizer = optax.sgd(0.5)
    fields = (task, optimizer, RNG, trainer.TrainerOptions(num_steps=2))
    state = jax.jit(functools.partial(trainer.init_state, *fields))(make_batch())
    step = jax.jit(functools.partial(trainer.train_step, *fields))
    first, _ = step(state, make_batch())
    other, _ = step(state, with_other_silence(make_batch()))
    return task, first, other


def logits_of(task, variables, batch):
    call = jax.jit(functools.partial(task, rng=RNG, train=False))
    return call(variables, batch).predictions["action"]


REAL_MODELS = [MBT, pytest.param(PretrainedMBT, marks=pytest.mark.slow)]


@pytest.mark.parametrize("model_class", REAL_MODELS)
def test_fine_tuning_reads_nothing_of_absent_audio(model_class):
    _, state, other = fine_tuned(model_class)
    jax.tree.map(np.testing.assert_array_equal, state.params, other.params)


@pytest.mark.slow
@pytest.mark.parametrize("model_class", [MBT, PretrainedMBT])
def test_a_real_model_gives_frames_audio_and_both(model_class):
    task, state, _ = fine_tuned(model_class)
    variables, batch = {"params": state.params}, make_batch(views=1, audio=jnp.ones(SIZE))
    found = {}
    for names in (("rgb",), ("audio",), ("rgb", "audio")):
        shown = make_task(task.model, modalities=names)
        found[names] = logits_of(shown, variables, batch)
    frames, audio, both = found.values()
    assert not np.allclose(frames, audio) and not np.allclose(frames, both)
    silent = make_batch(views=1, audio=jnp.zeros(SIZE))
    without_audio = logits_of(make_task(task.model), variables, silent)
    np.testing.assert_allclose(without_audio, frames, atol=1e-6)
    features = jax.jit(make_task(task.model).features)(variables, batch)
    assert features.shape == (SIZE, 8)
