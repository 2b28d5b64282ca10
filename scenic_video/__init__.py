"""Train, fine-tune and evaluate video transformers in JAX, from plain video files."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenic_video.runs.evaluation.trained_model import TrainedModel


def load(workdir: str | Path, *, trust: bool = False) -> "TrainedModel":
    """The model trained in `workdir`, with its class names and preprocessing bound to it.

    `trust` lets it name code outside `scenic_video` and `projects`, which is then run.
    """
    # Imported on call, so that `import scenic_video` stays light for worker processes.
    from scenic_video.runs.evaluation.trained_model import load

    return load(workdir, trust=trust)
