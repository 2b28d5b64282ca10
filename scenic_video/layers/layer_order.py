"""The order of layers, for layer-wise decay of the learning rate."""

import dataclasses
import re
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class EncoderLayers:
    """The layers of an encoder, by regular expressions that are searched in parameter paths.

    `block` matches the parameters of a layer, and its only group the number of the layer, from 0.
    `before` matches those before the first layer: embeddings, positions, class tokens.
    """

    num_layers: int
    block: str
    before: str


def layers_after(path: str, encoders: Sequence[EncoderLayers], last: str) -> int | None:
    """The number of layers after a parameter, with `encoders` in sequence.

    0 for parameters that `last` matches, such as norms and heads, which together count as one
    layer: 1 is the last layer of the last encoder. None for a parameter that matches nothing.
    """
    following = 1
    for encoder in reversed(encoders):
        if block := re.search(encoder.block, path):
            return following + encoder.num_layers - 1 - int(block[1])
        following += encoder.num_layers
        if re.search(encoder.before, path):
            return following
    return 0 if re.search(last, path) else None
