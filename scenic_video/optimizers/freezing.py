"""The parameters that are trained, as a tree of their own.

Gradients, optimizer state and averages are made of that tree alone, so that what is frozen costs
nothing but its part of the forward pass.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from scenic_video.errors import UserError
from scenic_video.parameter_paths import chosen_by, path_name


def trained_part(params: Any, freeze: Sequence[str]) -> Any:
    """`params` without those whose path one of the patterns `freeze` is found in.

    Errors: UserError for a pattern that finds nothing, and if nothing is left.
    """
    if not freeze:
        return params
    part = _without(params, chosen_by(freeze, params, "trainer.freeze"))
    if not part:
        raise UserError(
            f"trainer.freeze={tuple(freeze)} freezes every parameter; nothing is left to train."
        )
    return part


def with_part(params: Any, part: Any) -> Any:
    """`params` with the leaves of `part`, a tree such as `trained_part` gives, in their places."""
    leaves = {path_name(path): leaf for path, leaf in jax.tree.leaves_with_path(part)}
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaves.get(path_name(path), leaf), params
    )


def _without(params: Any, is_frozen: Any) -> Any:
    if not isinstance(params, Mapping):
        return params
    kept = {
        name: _without(value, is_frozen[name])
        for name, value in params.items()
        if is_frozen[name] is not True
    }
    return {name: value for name, value in kept.items() if not isinstance(value, dict) or value}
