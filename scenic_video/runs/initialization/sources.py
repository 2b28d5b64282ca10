"""What a run starts from: another run, or a public checkpoint, with what is known about either."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenic_video.checkpoints import restore_params
from scenic_video.data.examples import LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.sources.class_names import read_class_names
from scenic_video.runs.metadata import labels_from_json
from scenic_video.runs.options import InitOptions
from scenic_video.runs.parts import build_model, build_taking
from scenic_video.trust import check_run
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from scenic_video.weights.stated_fields import differences

NOT_IN_SHAPES = ("exact_gelu", "norm_epsilon", "logit_cap")
"""Fields of a model that change its outputs and that no parameter shows."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Weights to start from; model, labels and the fields of the preprocessing are None if the
    checkpoint does not state them. `notes` say how a file was read."""

    weights: ModelWeights
    model: Any = None
    labels: LabelSpace | None = None
    preprocessing: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def remarks(self, preprocessing: Preprocessing, model: Any) -> list[str]:
        """How the weights were read, and each field in which `preprocessing`, or what `model`
        computes, is not theirs."""
        name = self.weights.name
        fields = [
            (f"preprocessing.{field}", old, new)
            for field, old, new in differences(self.preprocessing or {}, preprocessing.to_dict())
        ]
        for field in NOT_IN_SHAPES:
            old, new = getattr(self.model, field, None), getattr(model, field, None)
            if old is not None and new is not None and old != new:
                fields.append((f"model.{field}", old, new))
        return [f"{name}: {note}" for note in self.notes] + [
            f"{name} was trained with {field} = {old!r}; here it is {new!r}"
            for field, old, new in fields
        ]


def read_sources(options: InitOptions) -> list[Source]:
    """The sources that `init.path` or `init.workdir` names. Errors: UserError."""
    if options.path:
        return [_read_checkpoint(location, options.labels) for location in listed(options.path)]
    return [_read_run(Path(workdir), trust=options.trust) for workdir in listed(options.workdir)]


def listed(names: Any) -> list[str]:
    """The names of a field of `init`, which may be one, several or empty."""
    return [] if not names else [names] if isinstance(names, str) else list(names)


def _read_run(workdir: Path, *, trust: bool) -> Source:
    variables, meta = restore_params(workdir / "checkpoints")
    name = f"{workdir} (step {meta['step']})"
    if "config" not in meta:  # the weights are not of a run of this package
        return Source(ModelWeights(variables["params"], name=name))
    preprocessing = meta.get("preprocessing") or {}
    for node in (meta["config"]["model"], preprocessing):
        check_run(node, run=workdir, trust=trust, flag="--config.init.trust=True")
    labels = labels_from_json(meta["labels"])
    inputs = Preprocessing.from_dict(preprocessing).input_sizes if preprocessing else {}
    weights = ModelWeights(variables["params"], inputs, name=name)
    return Source(weights, build_model(meta["config"], labels), labels, preprocessing)


def _read_checkpoint(location: str, names: str) -> Source:
    """A public checkpoint; `names` is the file of its class names, if it does not state them."""
    found = read_weights(location)
    labels = None
    if found.labels is not None:
        labels = LabelSpace({head: tuple(names) for head, names in found.labels.items()})
    elif names:
        labels = LabelSpace({"label": read_class_names(names)})
    model = None if found.model is None else build_taking(found.model, num_classes=1)
    weights = to_model_weights(found, name=f"{location} ({found.family})")
    return Source(weights, model, labels, found.preprocessing, found.notes)
