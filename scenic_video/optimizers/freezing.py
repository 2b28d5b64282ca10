"""The parameters that are trained, as a separate tree.

Only this tree has gradients, optimizer state and averages, so that frozen parameters cost only
their part of the forward pass.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from scenic_video.errors import UserError
from scenic_video.parameter_paths import chosen_by, path_name


def trained_part(params: Any, freeze: Sequence[str]) -> Any:
    """`params` without those whose path matches one of the patterns `freeze`.

    Errors: UserError for a pattern that matches no parameter, or if none is left to train.
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
    """`params` with leaves replaced by those of `part`, a tree as returned by `trained_part`."""
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
