"""A public checkpoint predicts and is evaluated like a run, once all about it is known."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import scenic_video
from projects.avmae.checkpoints.audio import SPECTROGRAMS
from projects.avmae.spectrograms.model import SpectrogramTransformer
from projects.vivit.model import SpatioTemporalAttention
from scenic_video.cli import main
from scenic_video.data.examples import Example
from scenic_video.errors import UserError
from scenic_video.weights.containers import safetensors
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.layouts import TUBELETS
from scenic_video.weights.families.vision_transformers import hugging_face
from tests.helpers.drawn import parameters
from tests.helpers.errors import message

NAMES = ("move_left", "move_right", "move_up", "move_down", "grow")
MODEL = SpatioTemporalAttention(
    hidden_size=16,
    mlp_dim=16,
    num_layers=1,
    num_heads=2,
    tubelet_size=(2, 8, 8),
    num_classes=len(NAMES),
    norm_epsilon=1e-6,
)
PROCESSOR = {
    "size": {"shortest_edge": 18},
    "crop_size": {"height": 16, "width": 16},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
STRIDE = "--config.preprocessing.stride=2"


@pytest.fixture(scope="module")
def vivit(tmp_path_factory) -> Path:
    """A ViViT as Hugging Face saves it."""
    return save(tmp_path_factory.mktemp("vivit"))


def save(folder: Path, **config: Any) -> Path:
    rgb = jax.ShapeDtypeStruct((1, 4, 16, 16, 3), np.float32)
    params: Any = flatten_dict(parameters(MODEL, rgb=rgb), sep="/")
    leaves, _ = hugging_face("vivit.", layout=TUBELETS).write(params)
    safetensors.write(folder / "model.safetensors", leaves)
    stated = {"model_type": "vivit", "hidden_act": "gelu_fast", "num_attention_heads": 2}
    stated |= {"num_frames": 4, "image_size": 16, "id2label": dict(enumerate(NAMES)), **config}
    (folder / "config.json").write_text(json.dumps(stated))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return folder


@pytest.fixture
def video(config) -> str:
    return str(config.parent / "clips" / "test" / "00000.mp4")


def test_predict_shows_the_model_and_names_classes(vivit, run, video, capsys):
    arguments = ["predict", f"--weights={vivit}", STRIDE, "--views=1x1", "--json", video]
    assert main(arguments) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)["predictions"]["label"]
    assert {name for name, _ in answer} == set(NAMES)
    for words in ("ViViT of Hugging Face", "num_frames=4", "stride=2", "tubelet_size", "5: move_"):
        assert words in said.err


def test_its_predictions_are_those_of_the_model_itself(vivit, run, video):
    model = scenic_video.load(weights=vivit, preprocessing={"stride": 2})
    (found,) = model.logits(video, views="1x1").values()
    pixels = model.preprocessing.eval_inputs(Example("video", video, {}))["rgb"]
    rgb = jnp.asarray(pixels.astype(np.float32) / 127.5 - 1)
    expected = MODEL.apply(model.variables, rgb=rgb, train=False)
    np.testing.assert_allclose(found, np.asarray(expected)[0], atol=1e-4)


def test_several_classes_have_probabilities_of_their_own(vivit, run, video):
    model = scenic_video.load(weights=vivit, preprocessing={"stride": 2}, multilabel=True)
    (logits,) = model.logits(video, views="1x1").values()
    (found,) = model.probabilities(video, views="1x1").values()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_what_it_does_not_state_is_an_error_with_the_flags(vivit, video, tmp_path, capsys):
    assert main(["predict", f"--weights={vivit}", video]) == 2
    assert "Give --config.preprocessing.stride=..." in capsys.readouterr().err
    names = {i: f"LABEL_{i}" for i in range(5)}
    unnamed = save(tmp_path, id2label=names)
    (unnamed / "preprocessor_config.json").unlink()
    assert main(["predict", f"--weights={unnamed}", STRIDE, video]) == 2
    assert "preprocessing.resize=... --config.preprocessing.rgb.mean" in capsys.readouterr().err
    flags = [STRIDE, "--config.preprocessing.resize=18"]
    flags += [f"--config.preprocessing.rgb.{x}=(0.5, 0.5, 0.5)" for x in ("mean", "std")]
    assert main(["predict", f"--weights={unnamed}", *flags, video]) == 2
    assert "does not name its 5 classes. Give --labels=FILE" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("\n".join(NAMES[:4]))
    labelled = [*flags, f"--labels={tmp_path / 'names.txt'}"]
    assert main(["predict", f"--weights={unnamed}", *labelled, video]) == 2
    assert "has 5 classes, but --labels has 4" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    assert main(["predict", f"--weights={unnamed}", *labelled, "--views=1x1", video]) == 0
    assert "move_left" in capsys.readouterr().out


def test_eval_writes_results_of_data_or_of_the_data_of_a_config(vivit, run, tmp_path, capsys):
    clips = run.parent / "clips"
    rows = [f"{clips}/test/{i:05d}.mp4,{name}" for i, name in enumerate(NAMES[:3])]
    (tmp_path / "test.csv").write_text("\n".join(["path,label", *rows]))
    arguments = ["eval", f"--weights={vivit}", STRIDE, "--views=1x1", f"--out={tmp_path}"]
    assert main(arguments) == 2
    assert "Give --data=DATA, or --config=FILE" in capsys.readouterr().err
    assert main([*arguments, f"--data={tmp_path / 'test.csv'}", "--batch-size=8"]) == 0
    assert "decoded 3 of 3" in capsys.readouterr().out
    assert main([x for x in arguments if "--out" not in x]) == 2
    assert "give --out=FOLDER" in capsys.readouterr().err
    arguments.append(f"--config={run.parent / 'config.py'}")  # whose ten actions are more
    assert main(arguments) == 2
    assert "5 classes of 'label' that the model was not trained on" in capsys.readouterr().err
    assert main([*arguments, "--remap-labels"]) == 0
    said = capsys.readouterr().out
    assert "The model lacks 5 of the 10 classes of 'label': " in said


def test_predictions_are_printed_under_other_names(vivit, video, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("Move left\nGROW\nsit\n")
    arguments = ["predict", f"--weights={vivit}", STRIDE, "--views=1x1", "--json", video]
    assert main([*arguments, "--remap-labels"]) == 2
    assert "--remap-labels needs --labels=FILE" in capsys.readouterr().err
    assert main([*arguments, f"--labels={tmp_path / 'names.txt'}", "--remap-labels"]) == 0
    said = capsys.readouterr()
    names = {name for name, _ in json.loads(said.out)["predictions"]["label"]}
    assert names == {"Move left", "GROW"}
    assert "The model lacks 1 classes of --labels: sit." in said.err


def test_class_names_that_differ_from_the_checkpoints_are_refused(vivit, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES[::-1]))
    words = message(
        scenic_video.load,
        weights=vivit,
        labels=tmp_path / "names.txt",
        preprocessing={"stride": 2},
    )
    assert "names its classes itself, and not as --labels does" in words


def test_flags_of_checkpoints_and_of_runs_are_not_mixed(run, video, capsys):
    assert main(["predict", f"--workdir={run}", "--labels=names.txt", video]) == 2
    assert "--labels belongs to --weights" in capsys.readouterr().err
    assert main(["predict", f"--workdir={run}", STRIDE, video]) == 2
    assert "--config.preprocessing.stride belongs to --weights" in capsys.readouterr().err
    with pytest.raises(UserError, match="the folder of a run, or weights="):
        scenic_video.load()


def test_a_model_of_audio_needs_no_size_of_frames(video, tmp_path, capsys):
    sizes: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 16, "num_layers": 1}
    sizes |= {"num_heads": 2, "num_classes": 2}
    model: Any = SpectrogramTransformer(**sizes, patch_stride=(16, 16), distillation_token=True)
    audio = jax.ShapeDtypeStruct((1, 48, 32, 1), np.float32)
    params: Any = flatten_dict(parameters(model, audio=audio), sep="/")
    leaves, _ = SPECTROGRAMS[0].write(Weights(family="AST", params=params, grid=(3, 2)))
    safetensors.write(tmp_path / "model.safetensors", leaves)
    stated = {"model_type": "audio-spectrogram-transformer", "num_attention_heads": 2}
    stated |= {"max_length": 48, "num_mel_bins": 32, "time_stride": 16, "frequency_stride": 16}
    stated |= {"id2label": {"0": "speech", "1": "music"}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    assert main(["predict", f"--weights={tmp_path}", video]) == 0
    printed = capsys.readouterr().out
    assert "spectrogram=kaldi" in printed and "speech" in printed
