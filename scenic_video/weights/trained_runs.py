"""The weights of a run of this package, whose checkpoint states what they are."""

from typing import Any

from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.trust import check_run
from scenic_video.weights.containers.weight_file import WeightFile
from scenic_video.weights.families.family import Weights

FAMILY = "a run of scenic_video"


def is_described(file: WeightFile) -> bool:
    """Whether it is a run that states its config."""
    return "config" in file.metadata.get("run", {})


def read_run(file: WeightFile, *, trust: bool = False) -> Weights:
    """Its weights; the config names the model, so that no family has to be recognised.

    Errors: UserError if it names code of third parties, unless `trust` is set.
    """
    meta: dict[str, Any] = file.metadata["run"]
    model, preprocessing = dict(meta["config"]["model"]), meta.get("preprocessing")
    for node in (model, preprocessing or {}):
        check_run(node, run=file.location, trust=trust)
    classes = meta["labels"]["classes"]
    return Weights(
        family=FAMILY,
        params=dict(file.leaves),
        model=model,
        preprocessing=preprocessing,
        labels={head: tuple(names) for head, names in classes.items()} or None,
        run=meta,
        inputs=Preprocessing.from_dict(preprocessing).input_sizes if preprocessing else {},
    )
