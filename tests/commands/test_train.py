"""How runs end, other than by their last step."""

import json
import shutil

import pytest

from scenic_video.cli import main
from scenic_video.data import synthetic
from tests.helpers.runs import CONFIG, MBT, without_audio


def train(config, workdir, **overrides):
    flags = [f"--config.{name}={value}" for name, value in overrides.items()]
    return main(["train", f"--config={config}", f"--workdir={workdir}", *flags])


@pytest.mark.parametrize(
    "call",
    [pytest.param(2, marks=pytest.mark.slow, id="the last one while training"), 3],
)
def test_a_stop_in_an_evaluation_at_the_end_is_code_75_and_the_same_command_ends_it(
    config, tmp_path, capsys, call
):
    text = CONFIG.replace(
        "trainer=dict(num_steps=4",
        f"evaluators=dict(stop=dict(target='tests.helpers.signals:Terminates', call={call})),\n"
        "        trainer=dict(num_steps=4, eval_every=2",
    )
    own = tmp_path / "config.py"
    own.write_text(text.format(data=str(config.parent / "clips")))
    assert train(own, tmp_path / "run") == 75
    assert "Stopped at step 4, saved." in capsys.readouterr().out
    assert not (tmp_path / "run" / "eval").exists()
    assert train(own, tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert "RESUME" in said and "at step 4 of 4" in said
    assert (tmp_path / "run" / "eval" / "stop.json").exists()


@pytest.mark.slow
def test_a_damaged_best_checkpoint_is_passed_over_once_training_is_over(config, tmp_path, capsys):
    best = {"trainer.best_metric": "test/loss", "trainer.eval_every": 2}
    assert train(config, tmp_path / "run", **best) == 0
    checkpoints = tmp_path / "run" / "checkpoints"
    name = json.loads((tmp_path / "run" / "eval" / "test_2x3.json").read_text())["step"]
    for file in (checkpoints / str(name) / "state").rglob("*"):
        if file.is_file() and file.stat().st_size > 1000:
            file.write_bytes(b"\0" * file.stat().st_size)
    shutil.rmtree(tmp_path / "run" / "eval")
    assert train(config, tmp_path / "run", **best) == 0
    assert (tmp_path / "run" / "eval" / "test_2x3.json").exists()


@pytest.mark.slow
def test_an_audio_model_is_not_trained_on_clips_without_audio(tmp_path, capsys):
    synthetic.dataset(directory=str(tmp_path / "clips"), num_clips=8, size=32, seconds=0.7)
    rows = ["path,label"]
    for index, clip in enumerate(sorted((tmp_path / "clips").rglob("*.mp4"))[:8]):
        silent = without_audio(clip, tmp_path / f"{index}.mp4")
        rows.append(f"{silent},{'ab'[index % 2]}")
    (tmp_path / "manifests").mkdir()
    for split in ("train", "test"):
        (tmp_path / "manifests" / f"{split}.csv").write_text("\n".join(rows))
    start, end = MBT.index("dataset=dict("), MBT.index("preprocessing=")
    own = tmp_path / "config.py"
    text = MBT[:start] + f'dataset="{tmp_path / "manifests"}",\n        ' + MBT[end:]
    text = text.replace('("rgb", "audio")', '("audio",)')
    own.write_text(text.replace('model:MBT"', "model:MBT\", modalities=('audio',)"))
    assert train(own, tmp_path / "run") == 1
    said = capsys.readouterr().err
    assert "None of the examples of steps 1 to 4 counted" in said
    assert (
        "The model reads audio: a clip without any of it, or that cannot be read, does not count"
        in said
    )
