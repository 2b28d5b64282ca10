"""The part of a modality that input and `data check` use on the host, without JAX."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from scenic_video.config import build, near
from scenic_video.data.decoding.video_info import VideoInfo
from scenic_video.data.examples import Example
from scenic_video.data.input.window import Window
from scenic_video.errors import UserError
from scenic_video.modalities.names import BUILT_IN

ClipShape = tuple[int, int, int]
"""(frames, rows, columns)."""

Inputs = dict[str, np.ndarray]
"""The arrays of one example, by name."""


@runtime_checkable
class HostModality(Protocol):
    """The part of a modality on the host; see `scenic_video.modalities.modality.Modality`."""

    in_records: ClassVar[bool]
    title: ClassVar[str]
    remedy: ClassVar[str]

    def read(self, window: Window) -> Mapping[str, np.ndarray]: ...

    def blank(self, clip_shape: ClipShape, *leading: int) -> Mapping[str, np.ndarray]: ...

    def input_size(self, clip_shape: ClipShape) -> tuple[int, ...]: ...

    def is_stored(self, example: Example) -> bool: ...

    def check(self, example: Example, info: VideoInfo) -> None: ...


Modalities = dict[str, Any]
"""Objects with the methods of `HostModality`, by name, in the order in which they are read."""


def built(
    names: Sequence[str] | Mapping[str, Any],
    nodes: Mapping[str, Any],
    *,
    fields: Sequence[str] = (),
) -> Modalities:
    """The modalities called `names`, built from their `nodes`, which may be objects already.

    `fields` are the other fields of preprocessing, for messages. Errors: UserError for an invalid
    name or node.
    """
    nodes = {name: node for name, node in nodes.items() if node is not None}
    if isinstance(names, Mapping):
        nodes = {**names, **nodes}
    if not names or isinstance(names, str) or len(set(names)) < len(names):
        raise UserError(
            f"preprocessing.modalities must be one or more distinct names; got {names!r}."
        )
    for name in nodes:
        if name in names:
            continue
        if name in BUILT_IN:
            named = ", ".join(names)
            raise UserError(
                f"preprocessing.{name} is given, but preprocessing.modalities are {named}. Add "
                f"{name!r} there, or leave preprocessing.{name} out."
            )
        raise UserError(f"Preprocessing has no field {name!r}{near(name, [*fields, *names])}")
    return {name: _modality(name, nodes.get(name, {})) for name in names}


def _modality(name: str, node: Any) -> Any:
    if isinstance(node, HostModality):
        return node
    if not isinstance(node, Mapping):
        raise UserError(f"preprocessing.{name} must be a node, or a modality; got {node!r}.")
    if "target" not in node and name not in BUILT_IN:
        raise UserError(
            f"preprocessing.modalities names {name!r}; the modalities of this package are "
            f"{', '.join(BUILT_IN)}{near(name, [*BUILT_IN])} Another one needs a node "
            f"with its 'target': {name}=dict(target='my_package.my_module:MyModality')."
        )
    return build({"target": BUILT_IN.get(name), **node})


def node_of(modality: Any) -> dict[str, Any]:
    """The node from which `build` makes this modality."""
    kind = type(modality)
    fields = {field.name: getattr(modality, field.name) for field in dataclasses.fields(modality)}
    fields = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    return {"target": f"{kind.__module__}:{kind.__qualname__}"} | fields
