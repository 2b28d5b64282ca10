"""Masks, inputs and comparisons for masked autoencoders of the library transformers."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from scenic_video.config import build
from scenic_video.layers.masking import Mask, Reconstruction
from scenic_video.weights.families.family import Weights, installed_families, recognise
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights
from scenic_video.weights.writing.conversion import write

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

IMAGES: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
EMBEDDING = "videomae.embeddings.patch_embeddings.projection"
CLIPS = {**IMAGES, "num_frames": 4, "tubelet_size": 2}


def clips() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype(np.float32)


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)


def outputs(model: Any, inputs: np.ndarray, **fields: Any) -> Any:
    """Of images [b, h, w, c] or clips [b, t, h, w, c]."""
    with torch.no_grad():
        return model(torch.tensor(np.moveaxis(inputs, -1, -3)), **fields)


DECODER: dict[str, Any] = {
    "decoder_hidden_size": 128,
    "decoder_num_hidden_layers": 2,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 48,
}


def half_hidden(number: int) -> Mask:
    """Half of the tokens, others in each of two examples."""
    rng = np.random.default_rng(0)
    order = np.stack([rng.permutation(number) for _ in range(2)])
    return Mask(*(np.sort(x, axis=1) for x in np.split(order, 2, axis=1)))


def reconstruct(weights: Weights, inputs: np.ndarray, mask: Mask) -> Reconstruction:
    assert not weights.rest
    assert weights.model is not None
    model = build(weights.model)
    variables = {"params": unflatten_dict(dict(weights.params), sep="/")}
    return jax.jit(model.apply)(variables, rgb=inputs, masks={"rgb": mask})["rgb"]


def predicted(ours: Reconstruction, mask: Mask) -> np.ndarray:
    """The prediction for hidden tokens."""
    return np.take_along_axis(
        np.asarray(ours.prediction), np.asarray(mask.hidden)[..., None], axis=1
    )


def error(ours: Reconstruction, *, unbiased: int | None = None) -> float:
    """The mean square over the hidden tokens. Other libraries divide targets by the unbiased
    deviation of their `unbiased` values, models here by that of all of them."""
    scale = 1.0 if unbiased is None else np.sqrt(1 - 1 / unbiased)
    squares = np.square(np.asarray(ours.prediction) - scale * np.asarray(ours.target)).mean(-1)
    return float(squares[np.asarray(ours.mask) > 0].mean())


def check_written(location: Path, weights: Weights) -> dict[str, np.ndarray]:
    """What is written has the names and, to the last bit, the values of what was read."""
    file = read(location)
    written, _ = recognise(file.shapes, installed_families()).write(weights)
    assert written.keys() == file.leaves.keys()
    for name, array in file.leaves.items():
        np.testing.assert_array_equal(written[name], array)
    return written


def is_hidden(mask: Mask, number: int) -> Any:
    hidden = np.zeros((2, number), bool)
    np.put_along_axis(hidden, np.asarray(mask.hidden), True, axis=1)
    return torch.tensor(hidden)


def check_written_folder(theirs: Any, inputs: np.ndarray, folder: Path, **mask: Any) -> Weights:
    """The library opens what is written of its model as a folder, which gives equal outputs."""
    theirs.save_pretrained(folder / "theirs")
    weights = read_weights(folder / "theirs")
    write(weights, folder / "ours", "hf-safetensors")
    opened, report = type(theirs).from_pretrained(folder / "ours", output_loading_info=True)
    assert not any(report.values())
    found, expected = (outputs(model, inputs, **mask) for model in (opened.eval(), theirs))
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.loss, expected.loss)
    return weights
