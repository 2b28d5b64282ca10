import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from projects.avmae.pretraining.model import AudiovisualMaskedAutoencoder, MaskedAutoencoder
from scenic_video import trainer
from scenic_video.gradients import accumulated_gradients
from scenic_video.layers.masking import Reconstruction
from scenic_video.tasks.masked_reconstruction import MaskedReconstruction
from scenic_video.tasks.task import FeatureExtractor, Task
from tests.helpers.transforms import to_inputs

SIZE = 8
AUDIO = jnp.asarray([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
RNG = jax.random.key(0)


class Echo(nn.Module):
    """Predicts every patch as one learned number; hides the first token of the two of each."""

    @nn.compact
    def __call__(self, *, rgb, audio, presence=None, train=False, encode_only=False):
        level = self.param("level", nn.initializers.ones, ())
        tokens = {"rgb": rgb.reshape(len(rgb), 2, -1), "audio": audio}
        if encode_only:
            return {name: x[..., :1] for name, x in tokens.items()}
        mask = jnp.broadcast_to(jnp.asarray([[1.0, 0.0]]), (len(rgb), 2))
        return {
            name: Reconstruction(jnp.full(x.shape, level), x, mask) for name, x in tokens.items()
        }


def make_task(model: Any = None, **fields):
    return MaskedReconstruction(model=model or Echo(), transform=to_inputs, **fields)


def make_batch(*, shapes=None, views=None, audio: Any = None, seed=0):
    values = np.random.default_rng(seed)
    lead = (SIZE,) if views is None else (SIZE, views)
    shapes = shapes or {"rgb": (2, 2, 3), "audio": (2, 5)}
    inputs: dict[str, Any] = {
        name: jnp.asarray(values.normal(size=(*lead, *shape)), jnp.float32)
        for name, shape in shapes.items()
    }
    if audio is not None:
        inputs["has_audio"] = jnp.broadcast_to(audio.reshape(-1, *(1,) * (len(lead) - 1)), lead)
    return {"inputs": inputs, "mask": jnp.ones(SIZE)}


def run(task, batch, *, train=True, rng=RNG):
    first = jax.tree.map(lambda x: x if train else x[:, 0], batch["inputs"])
    variables = jax.jit(task.init)(RNG, batch | {"inputs": first})
    return jax.jit(functools.partial(task, rng=rng, train=train))(variables, batch)


def errors(batch, *, tokens=slice(0, 1)):
    """The mean squared errors [B] of Echo, which says 1 of everything."""
    rgb = batch["inputs"]["rgb"].reshape(SIZE, 2, -1)[:, tokens]
    audio = batch["inputs"]["audio"][:, tokens]
    return {
        "rgb": np.square(1 - np.asarray(rgb)).mean(axis=(1, 2)),
        "audio": np.square(1 - np.asarray(audio)).mean(axis=(1, 2)),
    }


def test_the_loss_weighs_the_mean_errors_of_hidden_tokens():
    batch = make_batch()
    expected = {name: x.mean() for name, x in errors(batch).items()}
    output = run(make_task(), batch)
    assert float(output.loss) == pytest.approx(0.5 * sum(expected.values()), rel=1e-5)
    assert float(output.weight) == SIZE
    for name, x in expected.items():
        assert output.metrics[f"{name}_loss"].compute() == pytest.approx(x, rel=1e-5)
    output = run(make_task(weights={"rgb": 3, "audio": 1}), batch)
    assert float(output.loss) == pytest.approx(3 * expected["rgb"] + expected["audio"], rel=1e-5)
    assert output.predictions == {}


def test_visible_tokens_and_sums_over_values_can_be_scored():
    batch = make_batch()
    both = {name: x.mean() for name, x in errors(batch, tokens=slice(0, 2)).items()}
    output = run(make_task(score_visible=True, normalize_by_output_dimension=False), batch)
    expected = 0.5 * (6 * both["rgb"] + 5 * both["audio"])
    assert float(output.loss) == pytest.approx(expected, rel=1e-5)


def test_an_example_is_not_scored_on_what_it_lacks_and_weighs_less():
    batch = make_batch(audio=AUDIO)
    batch["inputs"]["audio"] = batch["inputs"]["audio"].at[1].set(jnp.nan)
    task = make_task(weights={"rgb": 0.8, "audio": 0.2})
    output = run(task, batch)
    found = errors(batch)
    present = np.asarray(AUDIO) > 0
    weight = 0.8 * SIZE + 0.2 * present.sum()
    total = 0.8 * found["rgb"].sum() + 0.2 * found["audio"][present].sum()
    assert float(output.weight) == pytest.approx(weight)
    assert float(output.loss) == pytest.approx(total / weight, rel=1e-5)
    mean = output.metrics["audio_loss"].compute()
    assert mean == pytest.approx(found["audio"][present].mean(), rel=1e-5)
    gradient = jax.grad(lambda v: task(v, batch, rng=RNG, train=True).loss)
    assert np.isfinite(jax.tree.leaves(gradient(task.init(RNG, batch)))).all()


def test_padding_counts_nothing():
    batch = make_batch(audio=AUDIO)
    padded = batch | {"mask": jnp.asarray([1.0] * 5 + [0.0] * 3)}
    rest = jax.tree.map(lambda x: x[:5], batch)
    output, expected = run(make_task(), padded), run(make_task(), rest)
    assert float(output.loss) == pytest.approx(float(expected.loss), rel=1e-6)
    assert float(output.weight) == pytest.approx(float(expected.weight))
    nothing = run(make_task(), batch | {"mask": jnp.zeros(SIZE)})
    assert (float(nothing.loss), float(nothing.weight)) == (0.0, 0.0)


def test_micro_batches_that_lack_more_or_less_add_up_to_the_whole():
    batch = make_batch(audio=AUDIO)
    batch["mask"] = batch["mask"].at[3].set(0.0)
    task = make_task(weights={"rgb": 3.0, "audio": 1.0})
    variables = task.init(RNG, batch)
    fields = {"trained": variables["params"], "rng": RNG}
    whole, output = accumulated_gradients(task, variables, batch, **fields, num_parts=1)
    found, of_parts = accumulated_gradients(task, variables, batch, **fields, num_parts=4)
    np.testing.assert_allclose(found["level"], whole["level"], rtol=1e-5)
    assert float(of_parts.loss) == pytest.approx(float(output.loss), rel=1e-5)
    for name, metric in output.metrics.items():
        value = float(of_parts.metrics[name].compute())
        assert value == pytest.approx(float(metric.compute()), rel=1e-5)


def test_views_are_averaged_over_those_that_hold_the_modality():
    batch = make_batch(views=2)
    batch["inputs"]["has_audio"] = jnp.stack([jnp.ones(SIZE), AUDIO], axis=1)
    first, second = (
        errors({"inputs": jax.tree.map(lambda x, v=v: x[:, v], batch["inputs"])}) for v in (0, 1)
    )
    output = run(make_task(), batch, train=False)
    present = np.asarray(AUDIO) > 0
    mean = (first["audio"] + second["audio"]) / 2
    expected = np.where(present, mean, first["audio"]).mean()
    assert output.metrics["audio_loss"].compute() == pytest.approx(expected, rel=1e-5)
    expected = (first["rgb"] + second["rgb"]).mean() / 2
    assert output.metrics["rgb_loss"].compute() == pytest.approx(expected, rel=1e-5)


def test_features_are_means_over_tokens_and_what_is_there():
    task, batch = make_task(), make_batch(views=1, audio=AUDIO)
    assert isinstance(task, FeatureExtractor) and isinstance(task, Task)
    first = batch | {"inputs": jax.tree.map(lambda x: x[:, 0], batch["inputs"])}
    variables = task.init(RNG, first)
    rgb = first["inputs"]["rgb"].reshape(SIZE, 2, -1)[..., :1].mean(axis=1)
    both = (rgb + first["inputs"]["audio"][..., :1].mean(axis=1)) / 2
    expected = np.where(AUDIO[:, None] > 0, both, rgb)
    np.testing.assert_allclose(task.features(variables, batch), expected, rtol=1e-5, atol=1e-6)


def test_weights_of_other_modalities_are_an_error():
    with pytest.raises(ValueError, match="weights are for rgb, but the model predicts rgb, audio"):
        run(make_task(weights={"rgb": 1.0}), make_batch())
    with pytest.raises(ValueError, match="weights .* -1.0"):
        make_task(weights={"rgb": -1.0})


TINY: dict[str, Any] = {
    "hidden_size": 8,
    "mlp_dim": 16,
    "num_layers": 1,
    "num_heads": 2,
    "decoder_hidden_size": 8,
    "decoder_mlp_dim": 16,
    "decoder_num_layers": 1,
    "decoder_num_heads": 2,
}
SHAPES = {"rgb": (2, 16, 16, 3), "audio": (16, 16, 1)}


@functools.cache
def audiovisual(objective: Any = "reconstruction"):
    return AudiovisualMaskedAutoencoder(
        **TINY, tubelet_size=(2, 8, 8), masking_rates={"rgb": 0.75, "audio": 0.5},
        encoder="early", fusion_layers=1, objective=objective,
    )  # fmt: skip


def pretrained(task, batch, num_steps):
    optimizer = optax.adam(1e-2)
    options = trainer.TrainerOptions(num_steps=num_steps)
    state = jax.jit(functools.partial(trainer.init_state, task, optimizer, RNG, options))(batch)
    step = jax.jit(functools.partial(trainer.train_step, task, optimizer, RNG, options))
    losses = []
    for _ in range(num_steps):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"].compute()))
    return state, losses


@functools.cache
def learned():
    """A real autoencoder after some steps on constant clips, some of them silent."""
    task, batch = make_task(audiovisual()), make_batch(shapes=SHAPES, audio=AUDIO)
    batch["inputs"]["rgb"] = jnp.full_like(batch["inputs"]["rgb"], 2.0)
    return task, batch, *pretrained(task, batch, 20)


def test_a_real_autoencoder_learns_what_is_hidden():
    _, _, _, losses = learned()
    assert losses[-1] < 0.7 * losses[0]


def test_absent_audio_teaches_a_real_autoencoder_nothing():
    task, batch, state, _ = learned()
    audio = batch["inputs"]["audio"]
    silent = jnp.broadcast_to(AUDIO.reshape(-1, 1, 1, 1) == 0, audio.shape)
    changed = batch["inputs"] | {"audio": jnp.where(silent, 50.0, audio)}
    gradients = functools.partial(accumulated_gradients, task, {"params": state.params})
    gradients = jax.jit(functools.partial(gradients, rng=RNG, num_parts=1))
    found, output = gradients(batch, trained=state.params)
    other, other_output = gradients(batch | {"inputs": changed}, trained=state.params)
    assert float(output.loss) == float(other_output.loss)
    jax.tree.map(np.testing.assert_array_equal, found, other)


def test_evaluation_hides_the_same_whatever_the_key_and_training_does_not():
    task, batch, state, _ = learned()
    variables = {"params": state.params}
    views = batch | {"inputs": jax.tree.map(lambda x: x[:, None], batch["inputs"])}
    call = jax.jit(task, static_argnames="train")
    evaluated = {
        float(call(variables, views, rng=jax.random.key(s), train=False).loss) for s in (1, 2)
    }
    trained = {
        float(call(variables, batch, rng=jax.random.key(s), train=True).loss) for s in (1, 2)
    }
    assert (len(evaluated), len(trained)) == (1, 2)
    features = jax.jit(task.features)(variables, views)
    assert features.shape == (SIZE, TINY["hidden_size"])


@pytest.mark.slow
def test_inpainting_scores_only_examples_that_have_both():
    task, batch = make_task(audiovisual("inpainting")), make_batch(shapes=SHAPES, audio=AUDIO)
    output = run(task, batch)
    assert float(output.weight) == float(AUDIO.sum())


@pytest.mark.slow
def test_a_video_autoencoder_of_one_modality_needs_no_presence():
    model = MaskedAutoencoder(**TINY, patch_size=(2, 8, 8), masking_rate=0.75)
    output = run(make_task(model), make_batch(shapes={"rgb": (2, 16, 16, 3)}))
    assert set(output.metrics) == {"loss", "rgb_loss"}
    assert float(output.weight) == SIZE
