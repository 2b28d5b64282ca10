import json

import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.cli import main
from scenic_video.data.examples import Example
from scenic_video.data.input.audio import FULL_SCALE
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.data.sources.statistics import read_statistics, write_statistics
from scenic_video.modalities.audio import Audio
from scenic_video.modalities.audio_statistics import spectrogram_statistics
from scenic_video.transforms.spectrograms import log_mel

RATE, FPS = 16_000, 10
AUDIO = Audio(seconds=0.5)


@pytest.fixture(scope="module")
def films(tmp_path_factory, write_video, moving_frames):
    """Five clips of 1 s: three with noise of different loudness, one silent, one without audio."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    tracks = [rng.normal(0, loudness, RATE) for loudness in (0.02, 0.1, 0.2)]
    tracks += [np.zeros(RATE), None]
    rows = ["path,label"]
    for number, track in enumerate(tracks):
        write_video(folder / f"{number}.mp4", moving_frames(FPS, 32, 32), fps=FPS, audio=track)
        rows.append(f"{number}.mp4,{'ab'[number % 2]}")
    (folder / "train.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_mean_and_deviation_are_those_of_all_audible_columns(films):
    dataset = open_dataset(films)
    found = spectrogram_statistics(dataset.splits["train"], AUDIO)
    reader = Preprocessing(num_frames=1, modalities=("audio",), audio=AUDIO)
    values = [
        log_mel(
            jnp.asarray(reader.eval_inputs(example)["waveform"][0] / FULL_SCALE, "float32"), AUDIO
        )
        for example in dataset.splits["train"][:3]
    ]
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-3)
    assert found["std"] == pytest.approx(np.std(values), abs=1e-3)
    assert (found["num_examples"], found["num_silent"], found["num_unreadable"]) == (5, 2, 0)


def test_unreadable_files_are_counted(films, tmp_path):
    examples = [*open_dataset(films).splits["train"], Example("x", str(tmp_path / "x.mp4"), {})]
    found = spectrogram_statistics(examples, AUDIO)
    assert (found["num_silent"], found["num_unreadable"]) == (2, 1)


def test_a_dataset_without_audio_has_no_statistics(films):
    with pytest.raises(ValueError, match="None of the 2 examples has audio"):
        spectrogram_statistics(open_dataset(films).splits["train"][3:], AUDIO)


def test_the_command_writes_statistics_beside_the_data(films, capsys):
    assert main(["data", "stats", str(films), "--seconds=0.5", "--num-mel-bins=64"]) == 0
    assert "num_silent" in capsys.readouterr().out
    (kept,) = json.loads((films / "statistics.json").read_text())["audio"]
    assert kept["scale"]["num_mel_bins"] == 64 and kept["split"] == "train"
    dataset = open_dataset(films)
    assert dataset.statistics["audio"] == [kept]
    audio = Audio(seconds=0.3, num_mel_bins=64).with_statistics(dataset, split="train", command=str)
    assert (audio.mean, audio.std) == (kept["mean"], kept["std"])


def test_measurements_of_other_examples_or_scales_are_all_kept(tmp_path):
    kept = [
        {"examples": examples, "scale": {"num_mel_bins": bins}, "mean": bins}
        for examples in ("a", "b")
        for bins in (64, 128)
    ]
    for measurement in (dict(kept[0], mean=0), *kept):
        write_statistics(tmp_path, "audio", measurement)
    assert read_statistics(tmp_path) == {"audio": kept}


def test_statistics_are_kept_where_the_dataset_of_a_config_node_finds_them(films, tmp_path):
    (tmp_path / "list.csv").write_text("0.mp4 0\n1.mp4 1\n")
    node = {
        "target": "scenic_video.data.published.lists:video_lists",
        "splits": {"train": str(tmp_path / "list.csv")},
        "root": str(films),
    }
    (tmp_path / "node.json").write_text(json.dumps(node))
    assert main(["data", "stats", str(tmp_path / "node.json"), "--seconds=0.5"]) == 0
    found = open_dataset(tmp_path / "node.json").statistics["audio"][-1]
    assert found["num_examples"] == 2 and (films / "statistics.json").is_file()
