"""What cannot work is refused before anything is compiled."""

import pytest

from scenic_video.cli import main
from tests.helpers.runs import MBT

SHIFT = {"target": "scenic_video.transforms.circular_shift:circular_shift"}
CROPPED = {"target": "tests.runs.test_experiment:cropped"}


def cropped(clip, rng):
    """No augmentation: it changes the shape."""
    return clip[:1]


class NeverMixes:
    def __init__(self, model, transform):
        raise AssertionError("refused before it is built")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["trainer.micro_batches=3"], "cannot be split into trainer.micro_batches=3"),
        (
            ["trainer.best_metric=top1", "trainer.eval_every=2", "trainer.checkpoint_every=3"],
            "must be a multiple of eval_every",
        ),
        (["trainer.best_metric=tpo1"], "trainer.best_metric is 'tpo1'; evaluation computes"),
        (["trainer.best_metric=few_shto/top1"], "'few_shto/top1'; evaluation computes loss, top1"),
        (["trainer.eval_every=abc"], "trainer.eval_every is 'abc'; wanted a whole number above 0"),
        (
            ["optimizer.betas=(0.9,2.0)"],
            "optimizer.betas is (0.9, 2.0); wanted a sequence of length 2, each",
        ),
        (["optimizer.eps=-1"], "optimizer.eps is -1; wanted a number from 0 up"),
        (["learning_rate.peak=1e999"], "learning_rate.peak is inf; wanted a number from 0 up"),
        (["input.max_bad_share=abc"], "input.max_bad_share is 'abc'; wanted a number from 0"),
        (["input.decode_timeout=-1"], "input.decode_timeout is -1; wanted a number above 0"),
        (["preprocessing.audio=abc"], "preprocessing.audio must be a node"),
        (["dataset.num_clips=None"], "dataset.num_clips is None; wanted a whole number above 0"),
        (["evaluation.split=holdout"], "no split 'holdout'"),
        (
            ["preprocessing.modalities=('rgb','flow')"],
            "preprocessing.modalities gives rgb, flow, but FactorisedEncoder takes rgb, train.",
        ),
        (
            ["task.target=scenic_video.tasks.masked_reconstruction:MaskedReconstruction"],
            "FactorisedEncoder returned no reconstruction, but MaskedReconstruction needs",
        ),
        (
            ["augmentation.mixing.mixup_alpha=0.5", "augmentation.mixing.mixmod=True"],
            "mixmod gives every modality labels of its own, so the model must return",
        ),
        (
            [f"augmentation.audio=[{SHIFT}]"],
            "augmentation.audio lists circular_shift, but preprocessing.modalities="
            "('rgb',) has no 'audio'",
        ),
        (
            [f"augmentation.rbg=[{SHIFT}]"],
            "has no 'rbg'. Did you mean 'rgb'?",
        ),
        (
            [
                "augmentation.rgb=[{'target': 'scenic_video.transforms.color_jitter:color_jitter', "
                "'probability': 2}]"
            ],
            "augmentation.rgb.0.probability is 2; wanted a number from 0 up and at most 1",
        ),
        (
            ["augmentation.rgb=[{'probability': 1}]"],
            "augmentation.rgb is [{'probability': 1}]; wanted a sequence, each item a Callable",
        ),
        (
            [f"augmentation.rgb=[{CROPPED}]"],
            "cropped must return an example of the same shape and type, here float32",
        ),
        (
            ["augmentation.geometry.crop_area=(0.5,0.4)"],
            "crop_area as (smallest, largest); got crop_area=",
        ),
        (
            ["augmentation.mixing.mixmod=True"],
            "mixup_alpha or cutmix_alpha above 0 for mixmod; got mixup_alpha=",
        ),
        (
            [
                "augmentation.mixing.mixup_alpha=0.5",
                "task={'target': 'tests.runs.test_experiment:NeverMixes'}",
            ],
            "does not mix examples: it has no `mixing`",
        ),
    ],
)
def test_a_run_that_cannot_work_is_refused(config, flags, words, capsys):
    given = [f"--config.{flag}" for flag in flags]
    assert main(["train", f"--config={config}", *given, "--dry-run"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert words in error and "JAX" not in error


def test_augmentations_that_are_set_to_none_are_left_out(config):
    flags = [f"augmentation.audio=[{SHIFT}]", "augmentation.audio=None"]
    given = [f"--config.{flag}" for flag in flags]
    assert main(["train", f"--config={config}", *given, "--dry-run"]) == 0


@pytest.mark.parametrize(
    "flags, frames",
    [
        ([], "4, stride 2 at the frame rate of the file, which determines the seconds"),
        (["--config.preprocessing.frame_rate=12.5"], "4, stride 2 at 12.5 per second: 0.64 s"),
    ],
)
def test_a_dry_run_states_the_durations_of_frames_and_audio(
    config, tmp_path, flags, frames, capsys
):
    path = tmp_path / "config.py"
    path.write_text(MBT.format(data=str(config.parent / "clips")))
    assert main(["train", f"--config={path}", "--dry-run", *flags]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"frames of a clip {frames}" in printed
    assert "audio of a clip 0.32 s around the middle of its frames" in printed
