"""A run that starts from the file of an autoencoder, which has a decoder and no classes."""

from typing import Any

import numpy as np

from projects.avmae.pretraining.model import MaskedAutoencoder
from scenic_video.runs.initialization.sources import read_sources
from scenic_video.runs.options import InitOptions
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights
from scenic_video.weights.writing.conversion import write
from tests.helpers.drawn import leaves, parameters

FIELDS: dict[str, Any] = {
    "hidden_size": 192,
    "mlp_dim": 32,
    "num_layers": 1,
    "num_heads": 3,
    "decoder_hidden_size": 64,
    "decoder_mlp_dim": 32,
    "decoder_num_layers": 1,
    "decoder_num_heads": 1,
    "patch_size": (2, 8, 8),
    "exact_gelu": True,
    "standardize": "patch_channels",
}


def video_mae() -> Weights:
    """Random weights without the biases that VideoMAE lacks."""
    clips = np.zeros((1, 4, 32, 32, 3), np.float32)
    found = leaves(parameters(MaskedAutoencoder(**FIELDS), rgb=clips))
    absent = ("key/bias", "decoder_projection/bias")
    return Weights(
        family="a test",
        params={path: x * (not path.endswith(absent)) for path, x in found.items()},
        model={"target": "projects.avmae.pretraining.model:MaskedAutoencoder", **FIELDS},
        inputs={"rgb": (4, 32, 32)},
    )


def test_a_file_of_video_mae_is_a_source(tmp_path):
    weights = video_mae()
    written = write(weights, tmp_path / "w.pth", "videomae-pth")
    assert written.family == "VideoMAE in its own names, with its decoder"
    (source,) = read_sources(InitOptions(path=str(tmp_path / "w.pth")))
    assert isinstance(source.model, MaskedAutoencoder)
    assert source.labels is None
    assert source.weights.flat.keys() == weights.params.keys()
    for path, array in weights.params.items():
        np.testing.assert_array_equal(source.weights.flat[path], array)
    assert source.preprocessing is not None and source.preprocessing["num_frames"] == 16


def test_the_outputs_of_an_autoencoder_are_the_means_of_its_tokens():
    model = build_model(video_mae(), name="a test")
    inputs = model.random_inputs(2, seed=0)
    assert not model.has_head
    assert model(inputs).shape == (2, 192)
