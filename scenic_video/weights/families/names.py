"""A table of parameter names in another library and here, which works in both directions."""

import collections
import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from scenic_video.errors import UserError
from scenic_video.weights.families.layouts import (
    HEADS_BIAS,
    HEADS_IN,
    HEADS_OUT,
    LINEAR,
    SAME,
    Layout,
)

Leaves = Mapping[str, np.ndarray]
"""Arrays by name or path, not nested."""


class NoNames(UserError):
    """A family has no names for the parameters of a model."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One foreign array and its counterparts here; "{i}" in a name is the number of a layer."""

    foreign: str
    ours: str | tuple[str, ...]
    layout: Layout = SAME

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.ours,) if isinstance(self.ours, str) else self.ours


@dataclasses.dataclass(frozen=True)
class NameTable:
    """Rules that together cover a family of checkpoints; each name stands in at most one."""

    rules: tuple[Rule, ...]

    def read(self, leaves: Leaves, *, heads: int) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """The parameters by their paths here, and the names of the arrays that no rule covers.

        `heads` is the number of attention heads. Errors: UserError where an array
        does not have the axes of its rule.
        """
        params: dict[str, np.ndarray] = {}
        unread = []
        for name, array in leaves.items():
            rule, layer = self._of(name)
            if rule is None:
                unread.append(name)
                continue
            try:
                arrays = rule.layout.read(np.asarray(array), heads)
            except Exception as error:  # einops has its own type of error
                raise UserError(
                    f"{name} has the shape {list(array.shape)}, which is not {rule.layout.name}."
                ) from error
            params |= {_at(path, layer): x for path, x in zip(rule.targets, arrays, strict=True)}
        return params, tuple(unread)

    def write(self, params: Leaves) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """The arrays by their foreign names, and the paths of parameters that no rule covers.

        Errors: NoNames where a parameter does not have the axes of its rule.
        """
        leaves, written = {}, set()
        layers = _layers(params)
        for rule in self.rules:
            for layer in sorted(layers.get(rule.targets[0], ()), key=lambda x: int(x or 0)):
                paths = [_at(path, layer) for path in rule.targets]
                if not all(path in params for path in paths):
                    continue
                arrays = tuple(np.asarray(params[path]) for path in paths)
                leaves[_at(rule.foreign, layer)] = _written(rule, paths, arrays)
                written |= set(paths)
        return leaves, tuple(path for path in params if path not in written)

    @functools.cached_property
    def _by_foreign(self) -> dict[str, Rule]:
        return {rule.foreign: rule for rule in self.rules}

    def _of(self, name: str) -> tuple[Rule | None, str]:
        for pattern, layer in _patterns(name):
            if rule := self._by_foreign.get(pattern):
                return rule, layer
        return None, ""


def dense(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A linear layer: weight [out, in] and bias."""
    return (
        Rule(f"{foreign}.weight", f"{ours}/kernel", LINEAR),
        Rule(f"{foreign}.bias", f"{ours}/bias"),
    )


def norm(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A LayerNorm."""
    return (Rule(f"{foreign}.weight", f"{ours}/scale"), Rule(f"{foreign}.bias", f"{ours}/bias"))


def projection(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A query, key or value: weight [heads x d, in] and bias."""
    return (
        Rule(f"{foreign}.weight", f"{ours}/kernel", HEADS_IN),
        Rule(f"{foreign}.bias", f"{ours}/bias", HEADS_BIAS),
    )


def attention_output(foreign: str, ours: str) -> tuple[Rule, ...]:
    """The output of an attention: weight [out, heads x d] and bias."""
    return (
        Rule(f"{foreign}.weight", f"{ours}/kernel", HEADS_OUT),
        Rule(f"{foreign}.bias", f"{ours}/bias"),
    )


def with_zero_biases(params: Leaves, kernels: Iterable[str]) -> tuple[dict[str, np.ndarray], int]:
    """`params` with zeros for biases that the layers of `kernels` lack, and how many.

    `kernels` are regular expressions of whole paths; the axes of a bias are the last of its kernel,
    all but the first, or the last one for an attention's output. A bias that other blocks have is
    not added: the checkpoint is not whole then.
    """
    added = {}
    present = {_in_any_block(path) for path in params}
    for path, kernel in params.items():
        layer, _, leaf = path.rpartition("/")
        bias = f"{layer}/bias"
        lacks = leaf == "kernel" and _in_any_block(bias) not in present
        if lacks and any(re.fullmatch(p, path) for p in kernels):
            axes = kernel.shape[-1:] if layer.endswith("/out") else kernel.shape[1:]
            added[bias] = np.zeros(axes, kernel.dtype)
    return {**params, **added}, len(added)


def _in_any_block(path: str) -> str:
    return re.sub(r"(?<=block_)\d+", "*", path)


def carries_nothing(path: str, array: np.ndarray) -> bool:
    """Whether a model gives the same outputs without this parameter: a bias of zeros, or that of
    the keys of an attention, which adds the same to all logits of a softmax."""
    return path.endswith("/key/bias") or (path.endswith("/bias") and not np.any(array))


def _patterns(name: str) -> Iterator[tuple[str, str]]:
    """The names of rules that `name` may be of, and the number that stands for their "{i}"."""
    yield name, ""
    for match in re.finditer(r"\d+", name):
        yield f"{name[: match.start()]}{{i}}{name[match.end() :]}", match[0]


def _written(rule: Rule, paths: list[str], arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    try:
        return np.ascontiguousarray(rule.layout.write(arrays))
    except Exception as error:  # einops has its own type of error
        shapes = ", ".join(str(list(x.shape)) for x in arrays)
        raise NoNames(
            f"{' and '.join(paths)} of {shapes} cannot be written as {rule.layout.name} backwards."
        ) from error


def _layers(params: Leaves) -> dict[str, list[str]]:
    """Name of a rule -> the numbers of layers for which there is a parameter of that name."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for path in params:
        for pattern, layer in _patterns(path):
            found[pattern].append(layer)
    return found


def _at(name: str, layer: str) -> str:
    return name.replace("{i}", layer)
