"""The formats in which weights are written, and which family of names each of them has."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.errors import UserError
from scenic_video.weights.built_model import module_of
from scenic_video.weights.containers import msgpack_writer, npz, orbax
from scenic_video.weights.containers.pytorch import zipped
from scenic_video.weights.families.family import Family, Weights
from scenic_video.weights.families.names import Leaves, NoNames, carries_nothing
from scenic_video.weights.writing import augreg, hugging_face

NOT_IN_EVALUATION = frozenset(
    "parent name num_classes dropout_rate attention_dropout_rate stochastic_depth_rate "
    "rescale_kept_branches head_bias_init attention_implementation dtype remat tubelet_start "
    "time_attention_start masking masking_rate".split()
)
"""Fields of models that do not change what trained parameters compute, but for rounding."""


@dataclasses.dataclass(frozen=True)
class Named:
    """Weights by the names of another code base: arrays, and the JSON files that go with them."""

    family: Family
    leaves: Mapping[str, np.ndarray]
    metadata: Mapping[str, Any]
    params: Leaves
    """The parameters that are read back."""
    notes: tuple[str, ...]
    """What is not written because it changes no output, in sentences."""
    unstated: tuple[str, ...]
    """Fields of the model that the file does not state, one sentence each."""


Write = Callable[[Path, Weights, Named], tuple[str, ...]]
"""Writes a file or folder; returns sentences on what was written."""


@dataclasses.dataclass(frozen=True)
class Format:
    """`names` is the format whose names of parameters it has: families list it in `formats`."""

    title: str
    names: str
    write: Write
    states_model: bool = False


def _scenic(path: Path, weights: Weights, named: Named) -> tuple[str, ...]:
    msgpack_writer.write(path, named.leaves)
    return ()


def _npz(path: Path, weights: Weights, named: Named) -> tuple[str, ...]:
    leaves, note = augreg.published_names(named.leaves)
    npz.write(path, leaves)
    return (note,)


def _pth(path: Path, weights: Weights, named: Named) -> tuple[str, ...]:
    zipped.write(path, named.leaves, wrapper="model")
    return ()


def _orbax(path: Path, weights: Weights, named: Named) -> tuple[str, ...]:
    orbax.write(path, named.leaves)
    return ("The tree below params has Scenic's names.",)


def _hugging_face(path: Path, weights: Weights, named: Named) -> tuple[str, ...]:
    return hugging_face.write(path, weights, named.leaves, named.metadata)


FORMATS = {
    "scenic": Format("Scenic's msgpack", "scenic", _scenic),
    "npz": Format("npz of vision_transformer and big_vision", "npz", _npz),
    "hf-safetensors": Format("a Hugging Face folder", "hf-safetensors", _hugging_face, True),
    "videomae-pth": Format("VideoMAE's .pth", "videomae-pth", _pth),
    "orbax": Format("an Orbax folder", "scenic", _orbax),
}


def named_for(format: Format, weights: Weights, families: Iterable[Family]) -> Named:
    """The weights by the names of a family of this format, which reads the same model of them.

    Errors: UserError if no family can hold the model, with the reasons.
    """
    unnamed, reasons = [], []
    for family in families:
        if format.names not in family.formats:
            continue
        try:
            return _named(format, family, weights)
        except NoNames as error:
            unnamed.append(str(error))
        except UserError as error:
            reasons.append(str(error))
    target = str((weights.model or {}).get("target", "an unknown model")).rpartition(":")[2]
    known = reasons or unnamed[:2] or ["No installed family has such names."]
    raise UserError(f"{format.title} cannot hold this {target}: {' '.join(dict.fromkeys(known))}")


def _named(format: Format, family: Family, weights: Weights) -> Named:
    """Errors: UserError if another model, or not all of this one, is read back."""
    leaves, metadata = family.write(weights)
    if not family.matches(leaves):
        raise UserError(f"{family.name} has arrays that this model lacks.")
    found = family.read(leaves, metadata)
    unstated = _differing_fields(family, weights, found)
    if unstated and format.states_model:
        raise UserError(f"{family.name} has no {' and no '.join(unstated)}.")
    notes = _check_params(family, weights.params, found.params)
    return Named(family, leaves, metadata, found.params, notes, unstated)


def _check_params(family: Family, params: Leaves, found: Leaves) -> tuple[str, ...]:
    """Errors: UserError unless the parameters that are read back give the same outputs."""
    if found.keys() != params.keys():
        other = sorted(found.keys() ^ params.keys())
        raise UserError(f"{family.name} does not have exactly {', '.join(other[:3])}.")
    changed = [path for path, x in params.items() if not np.array_equal(x, found[path])]
    for path in changed:
        if not carries_nothing(path, params[path]):
            raise UserError(f"{family.name} does not keep {path}.")
    if not changed:
        return ()
    return (f"{len(changed)} biases such as {changed[0]}, which change no output, were left out.",)


def _differing_fields(family: Family, weights: Weights, found: Weights) -> tuple[str, ...]:
    """Fields "name=value" of a model that are others when it is read back, and matter.

    Errors: UserError if it is another model that is read back.
    """
    if weights.model is None or found.model is None:
        return ()
    modules = [module_of(x) for x in (weights, found)]
    target = weights.model["target"]
    other = type(modules[0]) is not type(modules[1])
    if other and target not in family.alike:
        raise UserError(f"{found.family} is read as {type(modules[1]).__name__}.")
    names = [{x.name for x in dataclasses.fields(module)} for module in modules]
    fields = sorted(names[0] & names[1] - NOT_IN_EVALUATION)
    values = {name: [getattr(module, name) for module in modules] for name in fields}
    differing = [f"{name}={old!r}" for name, (old, new) in values.items() if not _same(old, new)]
    return (*((f"target={target!r}",) if other else ()), *differing)


def _same(old: Any, new: Any) -> bool:
    plain = [tuple(x) if isinstance(x, list) else x for x in (old, new)]
    return plain[0] == plain[1]
