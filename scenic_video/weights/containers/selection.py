"""Which of the arrays in a file are its weights, and a statement of what was left out.

Files hold weights beside optimizers and counters, below names that differ by library.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from scenic_video.errors import UserError
from scenic_video.weights.containers.bounds import DEEPEST, MOST_NODES, add_new
from scenic_video.weights.containers.linen_numbering import linen_names
from scenic_video.weights.containers.pytorch.tensors import Opaque
from scenic_video.weights.containers.weight_file import Arrays, Malformed, StoredArray

FLAX_WRAPPERS = ("params/", "optimizer/target/", "opt/target/")
"""Prefixes of weights, in Scenic's order and that of big_vision."""
TOWERS = {"img", "txt", "t", "b"}
"""The parts of big_vision's models of images and texts: two towers and two scalars."""
TORCH_WRAPPERS = (
    "model",
    "module",
    "state_dict",
    "model_state",
    "model_state_dict",
    "teacher",
    "net",
    "params",
)
"""Keys of state dicts in training checkpoints, in the order in which they are looked for."""
TORCH_SIBLINGS = (
    "optimizer",
    "optimizers",
    "optimizer_state",
    "optimizer_state_dict",
    "optimizer_states",
    "opt",
    "lr_scheduler",
    "lr_schedulers",
    "scheduler",
    "scaler",
    "amp",
    "loss_scaler",
)
"""Keys of what is never weights."""
TORCH_PREFIXES = ("module.", "_orig_mod.")
"""What wrappers of training put before all names: DistributedDataParallel, torch.compile."""
LONGEST_TEXT = 10_000
"""Characters of a text that is kept as metadata."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """The arrays that were taken, plain values beside them, and what was left out in words."""

    arrays: dict[str, StoredArray]
    beside: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


def flax_weights(tree: Any) -> Selection:
    """The weights of nested or flat arrays by "a/b" names."""
    values = flatten(tree, "/")
    arrays = {name: value for name, value in values.items() if isinstance(value, StoredArray)}
    arrays, notes = _unwrapped(arrays)
    return Selection(arrays, _plain(values), notes)


def _unwrapped(arrays: dict[str, StoredArray]) -> tuple[dict[str, StoredArray], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    prefix = next((p for p in FLAX_WRAPPERS if any(n.startswith(p) for n in arrays)), "")
    if prefix:
        notes += _left_out(arrays, prefix)
        arrays = below(arrays, prefix)
    while arrays and all(name.startswith("params/") for name in arrays):
        arrays = below(arrays, "params/")
    arrays, renumbered = linen_names(arrays)
    if renumbered:
        notes += (
            f"{renumbered} arrays are numbered as before Linen (over all modules of a block), and "
            "were renumbered by their kind.",
        )
    return arrays, notes


def torch_weights(saved: Any) -> Selection:
    """The state dict of what PyTorch saved.

    Errors: Malformed if there is none, or if it holds other objects than tensors.
    """
    if not isinstance(saved, dict):
        raise Malformed(f"it holds a {type(saved).__name__}, not a dict of tensors")
    path, state = _state_dict(saved)
    values = flatten(state, ".")
    strange = {name: value for name, value in values.items() if isinstance(value, Opaque)}
    if strange:
        name, value = next(iter(strange.items()))
        raise Malformed(f"{name!r} among its weights is a {value.path}, which is no tensor")
    arrays = {name: value for name, value in values.items() if isinstance(value, StoredArray)}
    siblings = {str(key): value for key, value in saved.items() if value is not state}
    beside = _plain({**siblings, **values})
    notes = _torch_notes(saved, state, path)
    arrays, stripped = _without_prefixes(arrays)
    if stripped:
        notes += (f"All names began with {stripped!r}, which was removed.",)
    return Selection(arrays, beside, notes)


def _state_dict(saved: dict[Any, Any]) -> tuple[str, dict[Any, Any]]:
    """The innermost state dict, and the keys that lead to it."""
    path, state = "", saved
    while not any(isinstance(value, StoredArray) for value in state.values()):
        found = [key for key in TORCH_WRAPPERS if _holds_arrays(state.get(key))]
        if not found:
            kept = {k: v for k, v in state.items() if isinstance(v, dict)}
            kept = {k: v for k, v in kept.items() if k not in TORCH_SIBLINGS and _holds_arrays(v)}
            return path, kept
        path, state = f"{path}{found[0]}/", state[found[0]]
    return path, state


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, dict) and any(
        isinstance(leaf, StoredArray) for leaf in flatten(value, ".").values()
    )


def _torch_notes(saved: Mapping[Any, Any], state: Any, path: str) -> tuple[str, ...]:
    taken = path.split("/")[0]
    others = {str(k): v for k, v in saved.items() if k != taken} if taken else {}
    if not taken:
        others = {str(k): v for k, v in saved.items() if k in TORCH_SIBLINGS}
    counts = collections.Counter(
        {
            key: sum(isinstance(leaf, StoredArray) for leaf in _leaves(value))
            for key, value in others.items()
        }
    )
    left_out = _counted({key: count for key, count in counts.items() if count})
    notes = (f"The weights were taken from {path.rstrip('/')!r}{left_out}.",) if taken else ()
    return notes or ((f"All but the optimizer's arrays were taken{left_out}.",) if left_out else ())


def _without_prefixes(arrays: dict[str, StoredArray]) -> tuple[dict[str, StoredArray], str]:
    stripped = ""
    while prefix := next(
        (p for p in TORCH_PREFIXES if arrays and all(n.startswith(p) for n in arrays)), ""
    ):
        arrays, stripped = below(arrays, prefix), stripped + prefix
    return arrays, stripped


def image_tower(arrays: Arrays) -> tuple[Arrays, tuple[str, ...]]:
    """Of a big_vision model of images and texts, the tower of images, and what was left out;
    other arrays as they are."""
    if {name.split("/")[0] for name in arrays} <= TOWERS and below(arrays, "img/"):
        return below(arrays, "img/"), _left_out(arrays, "img/")
    return arrays, ()


def part(arrays: Arrays, name: str) -> dict[str, StoredArray]:
    """The arrays below `name`, as in "file.npz:img". Errors: Malformed if there are none."""
    found = below(arrays, f"{name}/") or below(arrays, f"{name}.")
    if not found:
        parts = sorted({array.replace(".", "/").split("/")[0] for array in arrays})
        raise Malformed(f"it has no part {name!r}; it has {', '.join(parts[:12])}")
    return found


def below(arrays: Arrays, prefix: str) -> dict[str, StoredArray]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def flatten(tree: Any, separator: str) -> dict[str, Any]:
    """Leaves by joined names. Errors: Malformed if two names are equal, or nested too deeply."""
    found: dict[str, Any] = {}
    stack: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    while stack:
        names, node = stack.pop()
        if isinstance(node, dict) and (node or not names):
            children: Iterable[tuple[Any, Any]] = node.items()
        elif isinstance(node, list) and node and not isinstance(node[0], str | int | float):
            children = enumerate(node)
        else:
            add_new(found, separator.join(names), node)
            continue
        if len(names) > DEEPEST or len(stack) + len(found) > MOST_NODES:
            raise Malformed("it is nested deeper or wider than any checkpoint")
        stack += [((*names, str(key)), child) for key, child in children][::-1]
    return found


def nest(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts of "a/b" -> leaf. Errors: UserError if a name is also that of a folder."""
    tree: dict[str, Any] = {}
    for name, leaf in leaves.items():
        *folders, last = name.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
            if not isinstance(node, dict):
                raise UserError(f"{name!r} cannot be written: {folder!r} is an array already.")
        if last in node:
            raise UserError(f"{name!r} cannot be written: there are arrays below it.")
        node[last] = leaf
    return tree


def _leaves(tree: Any) -> Iterable[Any]:
    return flatten({"": tree}, ".").values()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is text or a number."""
    kept = {}
    for name, value in values.items():
        short = isinstance(value, str) and len(value) <= LONGEST_TEXT
        if short or isinstance(value, bool | int | float):
            kept[name] = value
    return kept


def _left_out(arrays: Arrays, prefix: str) -> tuple[str, ...]:
    rest = (name for name in arrays if not name.startswith(prefix))
    counts = collections.Counter(name.split("/")[0] for name in rest)
    return (f"The weights were taken from {prefix.rstrip('/')!r}{_counted(counts)}.",)


def _counted(counts: Mapping[str, int]) -> str:
    parts = [f"{name} ({count})" for name, count in counts.items()]
    shown = ", ".join(parts[:8]) + (", ..." if len(parts) > 8 else "")
    return f"; arrays not read: {shown}" if parts else ""
