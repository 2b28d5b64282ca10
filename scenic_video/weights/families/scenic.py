"""Families of Scenic's own models, whose parameters have nearly the same names here."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from scenic_video.errors import UserError
from scenic_video.modalities.names import DEFAULT
from scenic_video.weights.families.blocks import ENCODER, flax_block, flax_layer
from scenic_video.weights.families.family import Family, Weights
from scenic_video.weights.families.names import (
    Leaves,
    NameTable,
    NoNames,
    Rule,
    with_zero_biases,
)
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.model_weights import Inputs

ALWAYS = {"exact_gelu": False, "norm_epsilon": 1e-6}
"""Fields that all models of Scenic have, and that no parameter shows."""

Leaf = TypeVar("Leaf")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """What names and shapes show of a model: its config node, the sizes of its inputs, the fields
    of its `Preprocessing`, and in `notes` what was assumed, one sentence each."""

    model: Mapping[str, Any]
    inputs: Inputs = dataclasses.field(default_factory=dict)
    preprocessing: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScenicFamily(Family):
    """Checkpoints of one architecture of Scenic.

    `fits` says whether names and shapes are those of the family, `describe` what they show of the
    model, and `table` lists its parameters. `aliases` are pairs of a regular expression and what
    replaces it, for names of other releases. `may_lack_bias` are patterns of kernels whose layers
    may have no bias.
    """

    name: str
    fits: Callable[[ParameterShapes], bool]
    describe: Callable[[ParameterShapes], Description]
    table: Callable[[ParameterShapes], NameTable]
    aliases: tuple[tuple[str, str], ...] = ()
    may_lack_bias: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("scenic",)
    alike: tuple[str, ...] = ()

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        return self.fits(ParameterShapes(self._renamed(leaves)))

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        leaves = self._renamed(leaves)
        shapes = ParameterShapes(leaves)
        description = self.describe(shapes)
        params, unread = self.table(shapes).read(leaves, heads=0)
        params, added = with_zero_biases(params, self.may_lack_bias)
        notes = (f"{added} biases that the checkpoint lacks are zeros",) if added else ()
        return Weights(
            family=self.name,
            params=params,
            model=description.model,
            preprocessing=description.preprocessing,
            inputs=description.inputs,
            rest={path: leaves[path] for path in unread},
            notes=(*notes, *description.notes),
        )

    def write(self, weights: Weights) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The arrays by Scenic's names, those of its last release."""
        for field, value in ALWAYS.items():
            if (weights.model or {}).get(field, value) != value:
                raise UserError(
                    f"Scenic's models have {field}={value}, not {(weights.model or {})[field]}, so "
                    "these weights would compute something else there; write another format."
                )
        leaves, unwritten = self.table(ParameterShapes(weights.params)).write(weights.params)
        if unwritten:
            raise NoNames(
                f"{self.name} has no parameters {', '.join(unwritten[:5])}; write another format."
            )
        return leaves, {}

    def _renamed(self, leaves: Mapping[str, Leaf]) -> dict[str, Leaf]:
        """Leaves by the names of the last release; one whose new name is taken keeps its own."""
        found: dict[str, Leaf] = {}
        for path, leaf in leaves.items():
            new = path
            for pattern, replacement in self.aliases:
                new = re.sub(pattern, replacement, new)
            found[path if new in found or (new != path and new in leaves) else new] = leaf
        return found


def describe_clips(
    model: Mapping[str, Any],
    size: tuple[int, int, int] | None,
    notes: tuple[str, ...] = (),
    *,
    modalities: tuple[str, ...] = DEFAULT,
    others: Inputs | None = None,
) -> Description:
    """A model with these inputs, of clips of this size, (frames, rows, columns), and of `others`;
    inputs are described if all of them are known."""
    fields: dict[str, Any] = {} if modalities == DEFAULT else {"modalities": modalities}
    inputs: dict[str, Any] = dict(others or {})
    if size is not None:
        frames, rows, columns = size
        fields |= {"num_frames": frames, "crop": rows if rows == columns else (rows, columns)}
        inputs[DEFAULT[0]] = size
    known = inputs if inputs.keys() == set(modalities) else {}
    return Description(model=model, inputs=known, preprocessing=fields or None, notes=notes)


def same(*paths: str) -> tuple[Rule, ...]:
    """Parameters with the same name there and here."""
    return tuple(Rule(path, path) for path in paths)


def layers(*paths: str) -> tuple[Rule, ...]:
    """Layers with a kernel and a bias."""
    return tuple(rule for path in paths for rule in flax_layer(path, path))


def norms(*paths: str) -> tuple[Rule, ...]:
    """LayerNorms."""
    return tuple(rule for path in paths for rule in flax_layer(path, path, ("scale", "bias")))


def encoder(name: str = ENCODER, *, suffixes: tuple[str, ...] = ("",)) -> tuple[Rule, ...]:
    """A transformer: the blocks "<name>/encoderblock_{i}<suffix>", and the norm after them."""
    blocks = [f"{name}/encoderblock_{{i}}{suffix}" for suffix in suffixes]
    return (
        *(rule for block in blocks for rule in flax_block(block)),
        *norms(f"{name}/encoder_norm"),
    )


def table_of(name: str) -> str:
    """The path of the learned positions of the module `name`."""
    return f"{name}/pos_embedding"
