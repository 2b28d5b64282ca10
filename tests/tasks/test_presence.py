import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.tasks.presence import Inputs

RNG = jax.random.key(0)


def inputs(size=4, **presence):
    arrays = {"rgb": jnp.zeros((size, 2)), "audio": jnp.zeros((size, 3))}
    return Inputs(arrays, {name: jnp.asarray(x, jnp.float32) for name, x in presence.items()})


def test_presence_leaves_the_inputs_and_reaches_models_of_several_modalities():
    transformed = {"rgb": jnp.zeros((2, 1)), "flow": jnp.zeros((2, 1))}
    assert set(Inputs.of(transformed).keywords) == {"rgb", "flow"}
    both = Inputs.of(transformed | {"presence": {"rgb": jnp.asarray([1.0, 0.0])}})
    assert set(both.arrays) == {"rgb", "flow"}
    np.testing.assert_array_equal(both.keywords["presence"]["rgb"], [1, 0])
    np.testing.assert_array_equal(both.keywords["presence"]["flow"], [1, 1])


def test_a_model_of_one_modality_gets_no_presence():
    alone = {"audio": jnp.zeros((2, 1)), "presence": {"audio": jnp.asarray([1.0, 0.0])}}
    assert set(Inputs.of(alone).keywords) == {"audio"}
    np.testing.assert_array_equal(Inputs.of(alone).any_present, [1, 0])


def test_only_the_named_modalities_are_shown():
    shown = inputs(audio=[1, 0, 1, 0]).only(("audio",))
    np.testing.assert_array_equal(shown.all_presence["rgb"], np.zeros(4))
    np.testing.assert_array_equal(shown.any_present, [1, 0, 1, 0])
    assert inputs().only(None).presence == {}


def test_dropout_hides_modalities_at_their_rates():
    size = 20_000
    dropped = inputs(size).drop(RNG, {"rgb": 0.3, "audio": 0.5})
    hidden = {name: 1 - float(x.mean()) for name, x in dropped.all_presence.items()}
    # Examples that would lose both, 0.3 * 0.5 of them, keep both.
    assert hidden["rgb"] == pytest.approx(0.3 - 0.15, abs=0.02)
    assert hidden["audio"] == pytest.approx(0.5 - 0.15, abs=0.02)


def test_dropout_never_hides_the_last_modality_of_an_example():
    size = 1000
    audio = jnp.arange(size) % 2
    dropped = inputs(size, audio=audio).drop(RNG, {"rgb": 0.9, "audio": 0.9})
    np.testing.assert_array_equal(dropped.any_present, np.ones(size))
    np.testing.assert_array_equal(dropped.all_presence["rgb"][audio == 0], np.ones(size // 2))
    assert not dropped.all_presence["audio"][audio == 0].any()


def test_an_example_without_any_modality_gets_none_back():
    dropped = inputs(rgb=[0, 1, 1, 1], audio=[0, 0, 1, 1]).drop(RNG, {"rgb": 0.5})
    np.testing.assert_array_equal(dropped.any_present, [0, 1, 1, 1])


@pytest.mark.parametrize("ask", [lambda x: x.only(("flow",)), lambda x: x.drop(RNG, {"flow": 0.1})])
def test_modalities_that_are_no_inputs_are_errors(ask):
    with pytest.raises(ValueError, match="names flow, but the inputs are rgb, audio"):
        ask(inputs())
