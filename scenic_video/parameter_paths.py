"""Selects parameters by regular expressions that are searched in their paths.

A path is, for instance, "Transformer/encoderblock_3/MlpBlock_0/Dense_0/kernel". Parameters to
freeze or decay are selected by path, never by their number of dimensions.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax

from scenic_video.config import near
from scenic_video.errors import UserError


def parameter_paths(params: Any) -> Any:
    """A tree like `params`, of paths "a/b/kernel"."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path_name(path), params)


def path_name(path: Any) -> str:
    """A path of JAX as one string, "a/b/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def chosen_by(patterns: Sequence[str], params: Any, field: str) -> Any:
    """A tree of booleans like `params`: whether any pattern matches the path of the parameter.

    Errors: UserError that names `field`, for a pattern that is invalid or matches nothing.
    """
    paths = parameter_paths(params)
    check_patterns(patterns, jax.tree.leaves(paths), field)
    return jax.tree.map(lambda path: any(re.search(p, path) for p in patterns), paths)


def check_patterns(patterns: Sequence[str], paths: Sequence[str], field: str) -> None:
    """Errors: UserError for a pattern that is not a regular expression, or matches no path."""
    for pattern in patterns:
        check_pattern(pattern, field)
        if not any(re.search(pattern, path) for path in paths):
            raise UserError(
                f"{field}: {pattern!r} matches none of the {len(paths)} parameters, such as "
                f"{', '.join(paths[:3])}{near(pattern, paths, most=3)}"
            )


def check_pattern(pattern: str, field: str) -> None:
    """Errors: UserError naming `field` if the pattern is not a regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise UserError(f"{field}: {pattern!r} is not a regular expression: {error}.") from error
