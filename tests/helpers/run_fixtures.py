"""Small runs on real files: one that was trained, and others that only hold their first weights.

The process that hands out the tests imports this module, so fixtures import what they use.
"""

from pathlib import Path

import jax
import numpy as np
import pytest

from tests.helpers.runs import CONFIG


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """The config file of `run`; its videos are in clips/ beside it."""
    folder = tmp_path_factory.mktemp("trained")
    path = folder / "config.py"
    path.write_text(CONFIG.format(data=str(folder / "clips")))
    return path


@pytest.fixture(scope="session")
def run(config):
    from scenic_video.cli import main

    workdir = config.parent / "run"
    assert main(["train", f"--config={config}", f"--workdir={workdir}"]) == 0
    return workdir


@pytest.fixture(scope="session")
def save_run(config):
    """Makes a run with random weights of `seed` from a config text, by default that of `run`."""
    from scenic_video.checkpoints import Checkpoints
    from scenic_video.commands.configs import load_config
    from scenic_video.runs.experiment import build_experiment
    from tests.helpers.drawn import drawn

    def save(workdir: Path, text: str = CONFIG, *, seed: int = 0, **overrides) -> Path:
        workdir.mkdir(parents=True)
        path = workdir / "config.py"
        path.write_text(text.format(data=str(config.parent / "clips")))
        flags = [f"--config.{name}={value}" for name, value in overrides.items()]
        resolved = load_config([f"--config={path}", f"--config.seed={seed}", *flags]).to_dict()
        experiment = build_experiment(resolved)
        abstract = experiment.compile().abstract_state
        state = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), abstract)
        state = state.replace(params=drawn(abstract.params, seed=seed))
        state = jax.device_put(state, jax.tree.map(lambda x: x.sharding, abstract))
        with Checkpoints(workdir / "checkpoints") as checkpoints:
            checkpoints.save(0, state, experiment.checkpoint_meta(), block=True)
        return workdir

    return save
