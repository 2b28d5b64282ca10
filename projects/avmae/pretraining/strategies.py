"""Runs one or several transformers over the tokens of two modalities."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from projects.avmae.modalities import IN_PARAMETERS
from scenic_video.errors import UserError
from scenic_video.layers.autoencoder import Tokens
from scenic_video.layers.bottleneck_fusion import join, joint_mask, split
from scenic_video.layers.presence import Present

Strategy = Literal["shared", "separate", "early"]


def run(
    strategy: Strategy,
    make: Callable[[str], Any],
    name: str,
    tokens: Tokens,
    present: Present,
    *,
    train: bool,
) -> Tokens:
    """Tokens of all modalities after one or several transformers, by `strategy`."""
    if strategy == "separate":
        names = {m: f"{name}_{IN_PARAMETERS[m]}" for m in tokens}
        return {m: make(names[m])(x, train=train) for m, x in tokens.items()}
    transformer = make(name)
    if strategy == "shared":
        return {m: transformer(x, train=train) for m, x in tokens.items()}
    joined, lengths = join(tokens)
    mask = joint_mask(tokens, present)
    joined = transformer(joined, key_mask=mask, train=train)
    return split(joined, lengths)


def check_objective(modalities: Sequence[str], encoder: str, decoder: str, objective: str) -> None:
    """Errors: UserError if these strategies make the objective impossible or trivial."""
    if objective != "reconstruction" and len(modalities) < 2:
        raise UserError("Inpainting needs both modalities: each is predicted from the other.")
    if objective == "inpainting" and decoder == "early":
        raise UserError(
            "An early decoder attends to the visible tokens of both modalities, but inpainting "
            "must predict a modality from the other one. Set decoder='shared' or 'separate', "
            "or objective='reconstruction'."
        )
    apart = (encoder, decoder, objective) == (
        "separate", "separate", "reconstruction",
    )  # fmt: skip
    if apart and len(modalities) > 1:
        raise UserError(
            "Separate encoders with separate decoders are two independent models. Share the "
            "encoder or the decoder, fuse early or mid, use inpainting, or train one model for "
            "each modality."
        )
