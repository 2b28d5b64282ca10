"""Parameters chosen by regular expressions that are searched in their paths.

A path is such as "Transformer/encoderblock_3/MlpBlock_0/Dense_0/kernel". What is frozen or decays
is chosen so, never by the number of dimensions.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax

from scenic_video.config import near
from scenic_video.errors import UserError


def parameter_paths(params: Any) -> Any:
    """A tree of paths "a/b/kernel" like `params`."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path_name(path), params)


def path_name(path: Any) -> str:
    """A path of JAX in one string, "a/b/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def chosen_by(patterns: Sequence[str], params: Any, field: str) -> Any:
    """A tree of booleans like `params`: whether some pattern is found in the parameter's path.

    Errors: UserError naming `field` for a pattern that finds nothing, or is none.
    """
    paths = parameter_paths(params)
    check_alive(patterns, jax.tree.leaves(paths), field)
    return jax.tree.map(lambda path: any(re.search(p, path) for p in patterns), paths)


def check_alive(patterns: Sequence[str], paths: Sequence[str], field: str) -> None:
    """Refuses patterns that find none of `paths`, or are no regular expressions."""
    for pattern in patterns:
        try:
            is_alive = any(re.search(pattern, path) for path in paths)
        except re.error as error:
            raise UserError(f"{field}: {pattern!r} is no regular expression: {error}.") from error
        if not is_alive:
            raise UserError(
                f"{field}: {pattern!r} finds none of the {len(paths)} parameters, such as "
                f"{', '.join(paths[:3])}{near(pattern, paths, most=3)}"
            )
