"""The header of a checkpoint: metadata of the run, and shape, dtype and fingerprint of all arrays.

It is JSON with a digest: {"digest": ..., "content": {"step", "meta", "metrics", "best",
"leaves": {path: [shape, dtype, fingerprint]}}}.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from scenic_video.checkpoints.fingerprint import fingerprints
from scenic_video.errors import UserError
from scenic_video.json_hash import json_hash
from scenic_video.text_tables import text_table

Content = dict[str, Any]
Best = tuple[str, str]
"""A metric's name, and "max" or "min"."""

MOST_ROWS = 30


def flatten(state: Any) -> dict[str, Any]:
    """Path -> leaf, in the order of the tree."""
    leaves = {}
    for keys, leaf in jax.tree.leaves_with_path(state):
        names = [jax.tree_util.keystr((key,), simple=True) for key in keys]
        path = "/".join(names)
        if not names or any("/" in name for name in names):
            raise UserError(f"A state's leaves need names without '/'; got {names}.")
        if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
            raise UserError(f"State leaf {path} must be a jax.Array; got {type(leaf).__name__}.")
        leaves[path] = leaf
    return leaves


def make_header(
    step: int,
    leaves: Mapping[str, Any],
    meta: Mapping[str, Any],
    metrics: Mapping[str, float] | None,
    best: Best | None,
) -> dict[str, Any]:
    """Errors: UserError if `meta` cannot be written as JSON."""
    found = fingerprints(leaves)
    content = {
        "step": step,
        "meta": dict(meta),
        "metrics": None if metrics is None else {name: float(x) for name, x in metrics.items()},
        "best": best,
        "leaves": {
            path: (leaf.shape, jnp.dtype(leaf.dtype).name, found[path])
            for path, leaf in leaves.items()
        },
    }
    try:
        content = json.loads(json.dumps(content))
    except TypeError as error:
        raise UserError(f"The metadata of a checkpoint must be JSON: {error}.") from error
    return {"digest": json_hash([content]), "content": content}


def is_intact(header: Any) -> bool:
    """Whether the header is unchanged, by its digest."""
    if not isinstance(header, Mapping) or header.keys() != {"digest", "content"}:
        return False
    return header["digest"] == json_hash([header["content"]])


def meta_of(content: Content) -> dict[str, Any]:
    """The given meta, with "step" and "metrics"."""
    return content["meta"] | {"step": content["step"], "metrics": content["metrics"]}


def rank(metrics: Mapping[str, float] | None, best: Best) -> float:
    """Higher is better; missing values and NaN are worst."""
    metric, mode = best
    value = (metrics or {}).get(metric, math.nan)
    if math.isnan(value):
        return -math.inf
    return value if mode == "max" else -value


def check_structure(name: str, content: Content, wanted: Mapping[str, Any]) -> None:
    """Errors: UserError with a table of all differences in names, shapes and dtypes."""
    saved = content["leaves"]
    rows = []
    for path in sorted(saved.keys() | wanted.keys()):
        old = (tuple(saved[path][0]), saved[path][1]) if path in saved else None
        leaf = wanted.get(path)
        new = None if leaf is None else (tuple(leaf.shape), jnp.dtype(leaf.dtype).name)
        if old != new:
            rows.append((_difference(old, new), path, _words(old), _words(new)))
    if rows:
        raise UserError(
            f"Checkpoint {name} does not match the state of this run; {len(rows)} arrays differ:\n"
            f"{_table(rows)}\nResume with the model and optimizer that were saved, or start a new "
            "run from its weights."
        )


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = text_table(("", "array", "checkpoint", "this run"), rows[:MOST_ROWS]).splitlines()
    if len(rows) > MOST_ROWS:
        lines.append(f"... and {len(rows) - MOST_ROWS} more")
    return "\n".join(f"  {line}" for line in lines)


def _difference(old: Any, new: Any) -> str:
    if old is None or new is None:
        return "missing" if old is None else "unexpected"
    return "shape" if old[0] != new[0] else "dtype"


def _words(leaf: tuple[tuple[int, ...], str] | None) -> str:
    return "-" if leaf is None else f"{leaf[1]}{list(leaf[0])}"
