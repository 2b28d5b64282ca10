"""The names of vision_transformer's and big_vision's npz files, from those that are read here."""

import re
from collections.abc import Mapping

import numpy as np

from scenic_video.weights.families.blocks import POSITIONS

BLOCK = re.compile(r"(Transformer/encoderblock_\d+)/([A-Z][A-Za-z]*_\d)(/.*)")
BEFORE_LINEN = {
    "LayerNorm_0": "LayerNorm_0",
    "MultiHeadDotProductAttention_0": "MultiHeadDotProductAttention_1",
    "LayerNorm_1": "LayerNorm_2",
    "MlpBlock_0": "MlpBlock_3",
}
"""Modules of a block as the published files number them: all together, in the order of calls."""
PREFIX = "params/"


def published_names(leaves: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], str]:
    """`leaves` under the names of published files, and a sentence that says which and why.

    A model with a class token gets AugReg's flat names, others those of big_vision.
    """
    if "cls" in leaves:
        return {_before_linen(name): x for name, x in leaves.items()}, (
            "The names are those of AugReg's files, whose modules are numbered as before Linen "
            "(attention 1, MLP 3), because timm takes a file without prefix to be numbered so; "
            "vision_transformer, big_vision and Scenic read both numberings."
        )
    names = {name: "pos_embedding" if name == POSITIONS else name for name in leaves}
    return {f"{PREFIX}{names[name]}": x for name, x in leaves.items()}, (
        "The names are below params/ in Linen's numbering, as in the files of big_vision and "
        "VideoPrism, because AugReg's have no models without a class token."
    )


def _before_linen(name: str) -> str:
    match = BLOCK.fullmatch(name)
    return f"{match[1]}/{BEFORE_LINEN[match[2]]}{match[3]}" if match else name
