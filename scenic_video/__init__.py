"""Train, fine-tune and evaluate video transformers in JAX, from plain video files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Imports are inside functions, so that `import scenic_video` stays light for worker processes.
if TYPE_CHECKING:
    from scenic_video.runs.evaluation.trained_model import TrainedModel
    from scenic_video.runs.training import Outcome


def train(config: Mapping[str, Any], workdir: str | Path) -> "Outcome":
    """Trains the run that `config` describes in `workdir`, or continues what is there.

    `config` is a dict of nodes, such as `get_config().to_dict()` of a file in configs/. To follow
    its progress, call `scenic_video.runs.training.train` with a `reporter`.
    """
    from scenic_video.runs.training import train

    return train(config, workdir)


def load(workdir: str | Path, *, trust: bool = False) -> "TrainedModel":
    """The model trained in `workdir`, with its class names and preprocessing bound to it.

    `trust` allows its config to name code outside `scenic_video` and `projects`, which is then
    run.
    """
    from scenic_video.runs.evaluation.trained_model import load

    return load(workdir, trust=trust)
