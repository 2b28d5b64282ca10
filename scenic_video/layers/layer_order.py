"""In which order parameters are used: what learning rates that fall from layer to layer ask."""

import dataclasses
import re
from collections.abc import Sequence

TOKENS = r"^(embedding|cls|Encoder_modality_token)[^/]*(/|$)|(^|/)posembed_input[^/]*/"
"""Embeddings, class and modality tokens and positions, as layers here are named."""


@dataclasses.dataclass(frozen=True)
class EncoderLayers:
    """The layers of an encoder, by regular expressions that are searched in parameter paths.

    `block` finds the parameters of a layer, and its one group the layer's number, from 0. `before`
    finds those before the first layer: embeddings, positions, class tokens.
    """

    num_layers: int
    block: str
    before: str


def layers_after(path: str, encoders: Sequence[EncoderLayers], last: str) -> int | None:
    """How many layers follow a parameter, where `encoders` read the output of one another.

    0 for those that `last` finds, as of norms and heads, which count as one layer for the others:
    1 is the last layer of the last encoder. None for a parameter that is none of these.
    """
    following = 1
    for encoder in reversed(encoders):
        if block := re.search(encoder.block, path):
            return following + encoder.num_layers - 1 - int(block[1])
        following += encoder.num_layers
        if re.search(encoder.before, path):
            return following
    return 0 if re.search(last, path) else None
