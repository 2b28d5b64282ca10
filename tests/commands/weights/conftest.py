"""Small checkpoints in the layouts that are published."""

from pathlib import Path

import numpy as np
import pytest

from projects.vivit.model import ViT
from scenic_video.cli import main
from scenic_video.weights.containers import npz
from tests.helpers.drawn import leaves, parameters

CLASSES = 3


@pytest.fixture(scope="session")
def image_model() -> ViT:
    return ViT(
        num_classes=CLASSES,
        hidden_size=8,
        mlp_dim=16,
        num_layers=2,
        num_heads=2,
        patch_size=(4, 4),
    )


@pytest.fixture(scope="session")
def params(image_model) -> dict[str, np.ndarray]:
    """Its parameters by path, for images of 16 x 16 pixels."""
    return leaves(parameters(image_model, rgb=np.zeros((1, 16, 16, 3), np.float32)))


@pytest.fixture(scope="session")
def augreg(params, tmp_path_factory) -> Path:
    """The file of vision_transformer."""
    path = tmp_path_factory.mktemp("augreg") / "vit.npz"
    npz.write(path, {x.replace("output_projection", "head"): a for x, a in params.items()})
    return path


JOINT = {
    "model": "{'target': 'projects.vivit.model:SpatioTemporalAttention', 'hidden_size': 16, "
    "'mlp_dim': 16, 'num_layers': 1, 'num_heads': 2, 'tubelet_size': (2, 8, 8)}",
    "trainer.ema_decay": 0.9,
}


@pytest.fixture(scope="session")
def averaged(save_run, tmp_path_factory) -> Path:
    """A run of ViViT whose averaged parameters are zeros."""
    return save_run(tmp_path_factory.mktemp("averaged") / "run", **JOINT)


@pytest.fixture
def weights(capsys):
    """Runs `scenic-video weights ...`; returns the exit code, standard output and error."""

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["weights", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run
