"""Brings the layouts of Flax vision transformers to one: positions in the encoder, layers apart."""

import numpy as np

from scenic_video.weights.families.blocks import ENCODER, POSITIONS
from scenic_video.weights.families.names import Leaves

SCANNED = f"{ENCODER}/encoderblock/"
"""The layers of a scanned model share a path; their first axis counts them."""


def prepare(leaves: Leaves) -> tuple[Leaves, tuple[str, ...]]:
    """Leaves of big_vision or vision_transformer, one path per layer, with positions in the
    encoder, and what was done in sentences.

    big_vision keeps positions outside of the encoder, without a place for the class token, which
    gets zeros here: the model adds them to the token, so that nothing changes.
    """
    found: dict[str, np.ndarray] = {}
    notes = []
    for path, array in leaves.items():
        if path.startswith(SCANNED):
            rest = path.removeprefix(SCANNED)
            found |= {f"{ENCODER}/encoderblock_{i}/{rest}": x for i, x in enumerate(array)}
        else:
            found[path] = array
    if len(found) > len(leaves):
        notes.append("scanned layers are separated")
    if "pos_embedding" in found:
        table = np.asarray(found.pop("pos_embedding"))
        if "cls" in found:
            table = np.pad(table, ((0, 0), (1, 0), (0, 0)))
            notes.append("the position of the class token is zero")
        found[POSITIONS] = table
    return found, tuple(notes)
