"""Families of plain vision transformers: images or tubelets, one encoder, one head."""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import BLOCK, ENCODER, POSITIONS, SELF_ATTENTION
from scenic_video.weights.families.family import Family, Weights, number_of_heads
from scenic_video.weights.families.flax_towers import SCANNED
from scenic_video.weights.families.hub_files import HubModel
from scenic_video.weights.families.hugging_face import input_sizes, labels_of, preprocessing_of
from scenic_video.weights.families.names import (
    Leaves,
    NameTable,
    NoNames,
    carries_nothing,
    with_zero_biases,
)

KERNELS_WITH_BIAS = (rf"{ENCODER}/encoderblock_\d+/.*",)
"""The layers whose bias a checkpoint may lack."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tower(Family):
    """Checkpoints that `table` covers, whose weights the model `target` takes.

    `signs` are names that every such checkpoint has, and `absent` those that none has.
    `patch_axes` is the number of axes of a patch: 2 of images, 3 of clips. `prepare` brings the
    leaves to the names of the table, and states what it did in sentences. `fixed` are patterns of
    names that carry nothing. `exact_gelu` and `norm_epsilon` hold where no config.json says
    otherwise. `formats` are those of `weights.writing` that are written with these names, and `hub`
    makes the JSON files beside them.
    """

    name: str
    table: NameTable
    target: str
    signs: tuple[str, ...]
    absent: tuple[str, ...] = ()
    patch_kernel: str
    patch_axes: int = 2
    exact_gelu: bool = False
    norm_epsilon: float = 1e-6
    fixed: tuple[str, ...] = ()
    prepare: Callable[[Leaves], tuple[Leaves, tuple[str, ...]]] = lambda leaves: (leaves, ())
    has_axis_of_heads: bool = False
    formats: tuple[str, ...] = ()
    hub: HubModel | None = None

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        kernel = leaves.get(self.patch_kernel)
        if kernel is None or len(kernel.shape) != self.patch_axes + 2:
            return False
        if kernel.shape[-2 if self.has_axis_of_heads else 1] != 3:  # a spectrogram has 1
            return False
        names = {first_layer(name) for name in leaves}
        return names.issuperset(self.signs) and names.isdisjoint(self.absent)

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        leaves, notes = self.prepare(leaves)
        config = metadata.get("config") or {}
        dropped = tuple(x for x in leaves if any(re.fullmatch(p, x) for p in self.fixed))
        kept = {name: x for name, x in leaves.items() if name not in dropped}
        heads = 0 if self.has_axis_of_heads else self._heads(kept, config)
        params, unread = self.table.read(kept, heads=heads)
        params, added = with_zero_biases(params, KERNELS_WITH_BIAS)
        if added:
            notes = (*notes, f"{added} biases that the checkpoint lacks are zeros")
        preprocessing = preprocessing_of(metadata, image_size(params))
        return Weights(
            family=self.name,
            params=params,
            model=self._model(params, config),
            preprocessing=preprocessing,
            labels=labels_of(config),
            inputs=input_sizes(preprocessing),
            rest={name: kept[name] for name in unread},
            dropped=dropped,
            notes=notes,
        )

    def write(self, weights: Weights) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        leaves, paths = self.table.write(weights.params)
        unwritten = [path for path in paths if not carries_nothing(path, weights.params[path])]
        if unwritten:
            raise NoNames(
                f"{self.name} has no names for {', '.join(unwritten[:5])}; write another format."
            )
        return leaves, {} if self.hub is None else self.hub.files(weights)

    def _heads(self, leaves: Leaves, config: Mapping[str, Any]) -> int:
        width = leaves[self.patch_kernel].shape[0]
        return number_of_heads(width, config.get("num_attention_heads"))

    def _model(self, params: Leaves, config: Mapping[str, Any]) -> dict[str, Any]:
        epsilon = config.get("layer_norm_eps", self.norm_epsilon)
        exact = self.exact_gelu if "hidden_act" not in config else config["hidden_act"] == "gelu"
        return {
            "target": self.target,
            **sizes_of(params),
            "exact_gelu": exact,
            "norm_epsilon": float(epsilon),
        }


def sizes_of(params: Leaves) -> dict[str, Any]:
    """The fields of a `VisionTransformer` that follow from the shapes of its parameters."""
    kernel = params["embedding/kernel"]
    first = BLOCK.replace("{i}", "0")
    layers = {m[1] for x in params if (m := re.match(rf"{ENCODER}/encoderblock_(\d+)/", x))}
    patch = "patch_size" if kernel.ndim == 4 else "tubelet_size"
    fields = {
        "hidden_size": kernel.shape[-1],
        "mlp_dim": shape_of(params, f"{first}/MlpBlock_0/Dense_0/kernel")[-1],
        "num_layers": len(layers),
        "num_heads": shape_of(params, f"{first}/{SELF_ATTENTION}/query/kernel")[1],
        patch: tuple(kernel.shape[:-2]),
        "classifier": classifier_of(params),
    }
    if "cls_distillation" in params:
        fields["distillation_token"] = True
    if "pre_logits/kernel" in params:
        fields["representation_size"] = params["pre_logits/kernel"].shape[-1]
    return fields


def shape_of(params: Leaves, path: str) -> tuple[int, ...]:
    """The shape of a parameter. Errors: UserError if the checkpoint lacks it."""
    if path not in params:
        raise UserError(f"The checkpoint lacks an array, that of {path} here.")
    return params[path].shape


def classifier_of(params: Leaves) -> str:
    """ "token", "map" or "gap", by the parameters that it has."""
    if "MAPHead_0/probe" in params:
        return "map"
    return "token" if "cls" in params else "gap"


def first_layer(path: str) -> str:
    """The path in the first layer, of one in all layers of a scanned model; others unchanged."""
    return path.replace(SCANNED, f"{ENCODER}/encoderblock_0/")


def image_size(params: Leaves) -> int | None:
    """The side in pixels of the square images that learned positions are for; None if they are
    not for a square of patches."""
    table, kernel = params.get(POSITIONS), params["embedding/kernel"]
    if table is None or kernel.ndim != 4:
        return None
    places = table.shape[1] - ("cls" in params) - ("cls_distillation" in params)
    side = math.isqrt(places)
    return side * kernel.shape[0] if side**2 == places else None
