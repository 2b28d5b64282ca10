"""`scenic-video weights verify`."""

import numpy as np
import pytest

from scenic_video.weights.containers import msgpack_writer, npz


def as_scenic(path, params):
    msgpack_writer.write(path, params)
    return path


def test_the_same_weights_in_two_containers_agree(weights, augreg, params, tmp_path):
    code, out, _ = weights("verify", augreg, as_scenic(tmp_path / "checkpoint", params))
    assert code == 0
    assert "The same logits: they differ by 0; allowed is 0.0001." in out
    assert [x for x in out.splitlines() if "max. absolute difference" in x][0].split()[-1] == "0"


def test_other_weights_do_not(weights, augreg, params, tmp_path):
    name = "Transformer/encoderblock_1/LayerNorm_1/scale"
    changed = {**params, name: params[name] + np.float32(0.5)}
    second = as_scenic(tmp_path / "checkpoint", changed)
    code, out, _ = weights("verify", augreg, second)
    assert code == 1
    assert f"1 of {len(params)} parameters differ, {name} the most, by 0.5" in out
    assert "Not the same logits" in out
    assert weights("verify", augreg, second, "--tolerance=100")[0] == 0


def test_without_a_head_features_are_compared(weights, params, tmp_path):
    body = {path: x for path, x in params.items() if not path.startswith("output_projection/")}
    for name in "ab":
        npz.write(tmp_path / name, body)
    code, out, _ = weights("verify", tmp_path / "a", tmp_path / "b")
    assert code == 0 and "The same features" in out and "KL" not in out


@pytest.mark.parametrize(
    "change, words",
    [
        ({"output_projection/kernel": (8, 5), "output_projection/bias": (5,)}, "3 classes and"),
        ({"embedding/bias": None}, "embedding/bias is missing"),
        ({"Transformer/posembed_input/pos_embedding": (1, 10, 8)}, "takes inputs of"),
    ],
)
def test_models_that_cannot_be_compared_are_one_error(
    weights, augreg, params, tmp_path, change, words
):
    other = {path: x for path, x in params.items() if change.get(path, ()) is not None}
    other |= {path: np.zeros(shape, np.float32) for path, shape in change.items() if shape}
    code, _, error = weights("verify", augreg, as_scenic(tmp_path / "checkpoint", other))
    assert code == 2 and words in error


def test_the_size_of_inputs_can_be_given(weights, averaged, tmp_path):
    weights("convert", averaged, "--to", "scenic", tmp_path / "a")
    code, _, error = weights("verify", tmp_path / "a", tmp_path / "a")
    assert code == 2 and "Give it, such as --size rgb=32x224x224" in error
    assert weights("verify", tmp_path / "a", tmp_path / "a", "--size", "rgb=4x16x16")[0] == 0


def test_a_run_agrees_with_itself(weights, averaged):
    assert weights("verify", averaged, averaged)[0] == 0
