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


def load(
    workdir: str | Path | None = None,
    *,
    weights: str | Path | None = None,
    labels: str | Path | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    multilabel: bool = False,
    trust: bool = False,
) -> "TrainedModel":
    """The model trained in `workdir`, with its class names and preprocessing bound to it, or that
    of a public checkpoint at `weights`: a file, an address, hf:org/name, or a name in the registry.

    For `weights`, `labels` is a file of class names, one per line, and `preprocessing` holds fields
    of `Preprocessing` that the checkpoint does not state; with `multilabel`, a clip may have
    several classes. `trust` allows a config in `workdir` to name code outside `scenic_video` and
    `projects`, which is then run.
    """
    from scenic_video.config import ConfigError
    from scenic_video.runs.evaluation.public_model import load_public
    from scenic_video.runs.evaluation.trained_model import load

    if (workdir is None) == (weights is None):
        raise ConfigError("load() takes the folder of a run, or weights=LOCATION; give one.")
    if weights is not None:
        fields = {"labels": labels, "preprocessing": preprocessing, "multilabel": multilabel}
        return load_public(weights, **fields, trust=trust)
    if labels is not None or preprocessing is not None or multilabel:
        raise ConfigError("labels, preprocessing and multilabel are for weights=.")
    return load(workdir, trust=trust)  # pyright: ignore[reportArgumentType]
