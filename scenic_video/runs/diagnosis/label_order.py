"""Whether a permutation of the labels explains the confusion of a classifier."""

import numpy as np
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment

from scenic_video.evaluators.split_result import SplitResult
from scenic_video.runs.diagnosis.finding import Finding, is_higher

MOST_NAMED = 20
REPEATS = 8


def label_order(result: SplitResult, head: str, names: tuple[str, ...]) -> Finding:
    """Compares the accuracy with that under the permutation of classes that fits best.

    The permutation is fitted to one half of the examples and its accuracy measured on the other,
    since the best one of all would fit noise.
    """
    true = np.array([ids[0] for ids in result.labels[head]])[result.counted]
    predicted = result.logits[head][result.counted].argmax(axis=-1)
    accuracy = float((true == predicted).mean())
    permuted = held_out_accuracy(true, predicted, len(names))
    check = f"order of {head!r}"
    words = f"top-1 is {accuracy:.1%}, and {permuted:.1%} with the best permutation of the labels"
    if not is_higher(permuted, accuracy, number=len(true)):
        return Finding(check, f"{words}, so that their order is right or nothing is learned")
    table = confusion(true, predicted, len(names))
    moved = [
        f"{names[i]!r} predicted for {names[label]!r}"
        for i, label in enumerate(permutation(table))
        if i != label and table[label, i]
    ]
    more = f" and {len(moved) - MOST_NAMED} more" if len(moved) > MOST_NAMED else ""
    return Finding(
        check,
        f"{words}: {', '.join(moved[:MOST_NAMED])}{more}",
        "The class ids of the data or of the weights are in another order than the names. Compare "
        "the names in the checkpoint with those of the data (--labels, --remap-labels).",
    )


def held_out_accuracy(
    true: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], num_classes: int
) -> float:
    """The accuracy under a permutation that was fitted to other examples, over random halves."""
    rng, right = np.random.default_rng(0), []
    for _ in range(REPEATS):
        order = rng.permutation(len(true))
        halves = order[::2], order[1::2]
        for fitted, tested in (halves, halves[::-1]):
            label_of = permutation(confusion(true[fitted], predicted[fitted], num_classes))
            right.append(label_of[predicted[tested]] == true[tested])
    return float(np.concatenate(right).mean())


def confusion(
    true: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], num_classes: int
) -> Int[np.ndarray, "true predicted"]:
    table = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(table, (true, predicted), 1)
    return table


def permutation(table: Int[np.ndarray, "true predicted"]) -> Int[np.ndarray, " predicted"]:
    """The label of each predicted class that makes most examples right; without need, a class
    keeps its own."""
    weights = table * (len(table) + 1) + np.eye(len(table), dtype=np.int64)
    labels, classes = linear_sum_assignment(weights, maximize=True)
    return labels[np.argsort(classes)]
