"""What cannot work is refused before anything is compiled."""

import pytest

from scenic_video.cli import main


@pytest.mark.parametrize(
    "flags, words",
    [
        (["trainer.micro_batches=3"], "cannot be split into trainer.micro_batches=3"),
        (
            ["trainer.best_metric=top1", "trainer.eval_every=2", "trainer.checkpoint_every=3"],
            "must be a multiple of eval_every",
        ),
        (["evaluation.split=holdout"], "no split 'holdout'"),
        (
            ["preprocessing.modalities=('rgb','flow')"],
            "preprocessing.modalities gives rgb, flow, but FactorisedEncoder takes rgb.",
        ),
        (
            ["task.target=scenic_video.tasks.masked_reconstruction:MaskedReconstruction"],
            "FactorisedEncoder reconstructs nothing, but MaskedReconstruction trains",
        ),
        (
            ["task.mixup_alpha=0.5", "task.mixmod=True"],
            "mixmod gives every modality labels of its own, so the model must return",
        ),
    ],
)
def test_a_run_that_cannot_work_is_refused(config, flags, words, capsys):
    given = [f"--config.{flag}" for flag in flags]
    assert main(["train", f"--config={config}", *given, "--dry-run"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert words in error and "JAX" not in error
