"""The head of a classifier, initialised from another one for classes of the same name."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video.errors import UserError
from scenic_video.weights.model_weights import Params

Classes = Mapping[str, Sequence[str]]
"""Head -> names of its classes. The last axis of the logits holds them all, head after head."""


def head_paths(params: Any, of_one_class_more: Any) -> tuple[str, ...]:
    """The parameters whose shape depends on the number of classes.

    Both are trees of shapes of one model; the second has one more class.
    """
    wider: Any = flatten_dict(dict(of_one_class_more), sep="/")
    narrow: Any = flatten_dict(dict(params), sep="/")
    return tuple(path for path, leaf in narrow.items() if leaf.shape != wider[path].shape)


def keep_classes(
    params: Params, source: Params, *, paths: Sequence[str], classes: Classes, trained: Classes
) -> tuple[dict[str, Any], int]:
    """`params` with the columns of `source` in the head `paths` for classes of the same name, and
    the number of these classes.

    A class is identified by its head and name; `trained` are those of the source. Errors: UserError
    if the source has no such head, or none of the classes.
    """
    columns = _columns(trained)
    pairs = [(new, columns[name]) for name, new in _columns(classes).items() if name in columns]
    if not pairs:
        raise UserError(
            f"None of the classes ({_some(classes)}) is among those of the source "
            f"({_some(trained)}). Set init.head='new'."
        )
    flat: Any = flatten_dict(dict(params), sep="/")
    known: Any = flatten_dict(dict(source), sep="/")
    new, old = (list(ids) for ids in zip(*pairs, strict=True))
    for path in paths:
        if path not in known:
            raise UserError(f"The source has no {path}, so classes cannot be kept by name.")
        values, old_values = np.array(jax.device_get(flat[path])), np.asarray(known[path])
        if old_values.shape[:-1] != values.shape[:-1]:
            raise UserError(
                f"{path} is {list(values.shape)} in this model and {list(old_values.shape)} in the "
                "source; to keep classes by name, all axes but the last must agree."
            )
        values[..., new] = old_values[..., old]
        flat[path] = values
    return unflatten_dict(flat, sep="/"), len(pairs)


def _columns(classes: Classes) -> dict[tuple[str, str], int]:
    every = [(head, name) for head, names in classes.items() for name in names]
    return {class_: column for column, class_ in enumerate(every)}


def _some(classes: Classes) -> str:
    names = [f"{head} {name}" for head, all_names in classes.items() for name in all_names]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
