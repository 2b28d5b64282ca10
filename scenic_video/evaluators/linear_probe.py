"""The accuracy of linear classifiers trained on a few examples per class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int

from scenic_video.errors import UserError
from scenic_video.evaluators.ridge import Ridge
from scenic_video.evaluators.selection import Selection


class Labelled(NamedTuple):
    """Features and class ids of the same examples."""

    features: Float[np.ndarray, "n d"]
    class_ids: Int[np.ndarray, " n"]

    def at(self, positions: Int[np.ndarray, " m"]) -> "Labelled":
        return Labelled(self.features[positions], self.class_ids[positions])


def probe(
    train: Labelled,
    test: Labelled,
    selections: Sequence[Selection],
    *,
    shots: int,
    num_classes: int,
    l2: Sequence[float | int],
) -> dict[str, float]:
    """ "top1" on `test` in the mean over `selections`, its "top1_std", and the penalty "l2".

    The penalty is the one of `l2` with the best mean accuracy on the held-out examples of `train`,
    the largest among equals. Errors: UserError where there are several and nothing is held out.
    """
    one_hot = np.eye(num_classes)
    fits = []
    for selection in selections:
        chosen = train.at(selection.shots(shots))
        fits.append(Ridge.fit(chosen.features, one_hot[chosen.class_ids]))
    penalties = sorted(l2, reverse=True)
    if len(penalties) > 1:
        check_held_out(selections, penalties)
        held_out = [train.at(selection.held_out) for selection in selections]
        found = [_accuracies(fit, x, penalties) for fit, x in zip(fits, held_out, strict=True)]
        penalties = [penalties[int(np.mean(found, axis=0).argmax())]]
    accuracies = [_accuracies(fit, test, penalties)[0] for fit in fits]
    return {
        "top1": float(np.mean(accuracies)),
        "top1_std": float(np.std(accuracies)),
        "l2": float(penalties[0]),
    }


def check_held_out(selections: Sequence[Selection], l2: Sequence[float | int]) -> None:
    """Errors: UserError if there are several penalties but no held-out examples."""
    if len(l2) > 1 and not all(len(selection.held_out) for selection in selections):
        raise UserError(
            f"No training examples are left to choose one of {len(l2)} penalties with. Set fewer "
            "shots, or a single l2."
        )


def _accuracies(
    fit: Ridge, examples: Labelled, penalties: Sequence[float | int]
) -> Float64[np.ndarray, " penalties"]:
    scores = fit.scores(examples.features, penalties)
    return np.array([(x.argmax(axis=-1) == examples.class_ids).mean() for x in scores])
