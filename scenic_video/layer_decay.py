"""Rates by layer: what is nearer to the input of a pretrained model changes more slowly.

With a decay d and L layers a parameter has the rate times d^(L + 1 - id): embeddings, positions and
class tokens have id 0, block l has l + 1, all else (last norm, head, bottlenecks) L + 1.
Clark et al., ELECTRA, 2020; Bao et al., BEiT, 2022.
"""

import re
from typing import Any

import jax

from scenic_video.errors import UserError

TOKENS = r"(^|/)(embedding|posembed_input|Encoder_modality_token|cls)[^/]*(/|$)"
LAYER = r"^(?!.*Decoder).*encoderblock_(\d+)"
LATER = r"(^|/)(Transformer_concat|(cls_)?TemporalTransformer|global_encoder|cls_global)(/|$)"
"""What in a path makes a parameter one of tokens, of a layer, of an encoder over other encoders."""


def layer_scales(params: Any, layer_decay: float | int) -> Any:
    """A tree like `params`: what `layer_decay` multiplies the rate of each parameter by.

    The L layers are counted from the paths. Streams of equal depth, such as "encoderblock_3" and
    "encoderblock_3_spec", share their ids; an encoder over the output of others continues theirs.
    """
    paths = parameter_paths(params)
    blocks = [_block(path) for path in jax.tree.leaves(paths)]
    blocks = [(is_later, layer + 1) for is_later, layer in blocks if layer is not None]
    if not blocks:
        raise UserError(
            f"layer_decay={layer_decay} needs parameters of layers, with paths such as "
            f"'Transformer/encoderblock_0/...'; found {jax.tree.leaves(paths)[:3]}."
        )
    first = max((depth for is_later, depth in blocks if not is_later), default=0)
    last = first + max((depth for is_later, depth in blocks if is_later), default=0)

    def scale(path: str) -> float:
        is_later, layer = _block(path)
        start = first if is_later else 0
        if layer is not None:
            return layer_decay ** (last - start - layer)
        return layer_decay ** (last + 1 - start) if re.search(TOKENS, path) else 1.0

    return jax.tree.map(scale, paths)


def _block(path: str) -> tuple[bool, int | None]:
    """Whether a path lies in an encoder over others, and of which layer of it it is, if any."""
    found = re.search(LAYER, path)
    return bool(re.search(LATER, path)), None if found is None else int(found[1])


def parameter_paths(params: Any) -> Any:
    """A tree of paths "a/b/kernel" like `params`."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path, simple=True, separator="/"), params
    )
