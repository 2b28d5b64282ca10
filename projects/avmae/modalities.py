"""The modalities of audiovisual models, and their names in parameters."""

from collections.abc import Sequence
from typing import Literal, get_args

from jaxtyping import Array, Float

from scenic_video.errors import UserError

Modality = Literal["rgb", "audio"]
MODALITIES = get_args(Modality)

IN_PARAMETERS = {"rgb": "rgb", "audio": "spectrogram"}
"""What the public checkpoints call a modality in the names of its parameters."""

MODALITY_TOKENS = "^Encoder_modality_token_"
"""The vectors that are added to all tokens of a modality, before the encoder."""


def given(
    modalities: Sequence[str], **inputs: Float[Array, "..."] | None
) -> dict[str, Float[Array, "..."]]:
    """The inputs that are not None. Errors: UserError unless they are those of the model."""
    found = {name: pixels for name, pixels in inputs.items() if pixels is not None}
    if found.keys() != set(modalities):
        raise UserError(
            f"The model takes {tuple(modalities)} but got {tuple(found)}. Set model.modalities to "
            "those of preprocessing.modalities."
        )
    return found
