"""The confusion section of the report: matrix, accuracy per class, frequent confusions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer

from scenic_video.errors import UserError
from scenic_video.visualize import figures

MAX_NAMED = 60
"""The largest number of classes whose rows and columns are labelled with names."""
MAX_COUNTED = 20
"""The largest number of classes whose cells are labelled with counts."""
MAX_PAIRS = 12


def view(head: str, names: Sequence[str], counts: Integer[np.ndarray, "c c"]) -> dict[str, Any]:
    """The contents for one head; `counts` is [true class, predicted class]."""
    if counts.shape != (len(names), len(names)):
        raise UserError(
            f"The confusion of head {head!r} is {counts.shape}, but the head has {len(names)} "
            "class names."
        )
    return {
        "head": head,
        "names": list(names),
        "matrix": _matrix(names, counts),
        "classes": _classes(names, counts),
        "pairs": _pairs(names, counts),
        "cells": _cells(counts),
        "num_clips": int(counts.sum()),
        "accuracy": float(np.trace(counts) / max(counts.sum(), 1)),
    }


def _matrix(names: Sequence[str], counts: np.ndarray) -> dict[str, Any]:
    """Sizes and labels of the figure, in pixels of a wide screen."""
    size = len(names)
    named = size <= MAX_NAMED
    cell = 36 if size <= MAX_COUNTED else 15 if named else max(1, round(640 / size, 2))
    font = 12 if size <= MAX_COUNTED else 10
    reach = 0 if named else max(1, size // 250)
    gutter = min(200, 10 + max(map(len, names)) * font * 0.6) if named else 46
    return {
        "image": figures.heatmap(counts, reach=reach),
        "reach": reach,
        "named": named,
        "numbers": _numbers(counts) if size <= MAX_COUNTED else [],
        "ticks": [] if named else list(range(0, size, max(1, round(size / 8 / 10) * 10))),
        "cell": cell,
        "font": font,
        "gutter": round(gutter),
        "side": round(cell * size),
    }


def _numbers(counts: np.ndarray) -> list[tuple[int, int, int]]:
    return [(int(i), int(j), int(counts[i, j])) for i, j in np.argwhere(counts)]


def _cells(counts: np.ndarray) -> list[int]:
    """Row, column and count of each non-empty cell, concatenated."""
    rows, columns = np.nonzero(counts)
    return np.stack([rows, columns, counts[rows, columns]], axis=1).ravel().tolist()


def _classes(names: Sequence[str], counts: np.ndarray) -> list[dict[str, Any]]:
    """One row per class, the least accurate first; classes without clips are last."""
    rows = []
    for index, name in enumerate(names):
        support = int(counts[index].sum())
        wrong = counts[index].copy()
        wrong[index] = 0
        worst = int(wrong.argmax())
        rows.append(
            {
                "id": index,
                "name": name,
                "clips": support,
                "accuracy": counts[index, index] / support if support else None,
                "predicted_as": names[worst] if wrong[worst] else "",
                "times": int(wrong[worst]),
            }
        )
    return sorted(rows, key=lambda row: (row["accuracy"] is None, row["accuracy"], -row["clips"]))


def _pairs(names: Sequence[str], counts: np.ndarray) -> list[dict[str, Any]]:
    """The most frequent confusions of two classes."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
    places = (np.unravel_index(place, wrong.shape) for place in order)
    return [
        {
            "true": names[i],
            "predicted": names[j],
            "times": int(wrong[i, j]),
            "share": wrong[i, j] / counts[i].sum(),
        }
        for i, j in places
        if wrong[i, j]
    ]
