"""Which function initialises the models of this project, by the kind of the source."""

from collections.abc import Sequence
from typing import Any

from projects.avmae.audio_models import from_audio_model
from projects.avmae.pretrained import (
    from_autoencoder,
    from_classifier,
    from_image_model,
    from_same_model,
)
from scenic_video.weights.image_models import TABLE, present
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.starts import Start, has_same_parameters, start_by

ENCODER_TABLE = f"Transformer/{TABLE}"
OF_AUTOENCODERS = r"(decoder_projection|mask_token|Decoder|Transformer_(rgb|spectrogram|concat)).*"
"""The parts of an autoencoder that no model to be fine-tuned has."""

OF_MBT = (ENCODER_TABLE, "bottleneck", "(embedding|cls)_?spectrogram.*")
OF_MBT += ("ProjectionHeadAndClassifier_0/.*",)
"""The parts of MBT that a model of one modality lacks."""


def start(
    *,
    target: ModelWeights,
    source: ModelWeights | Sequence[ModelWeights],
    kernel: str = "central_frame",
    bottlenecks: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> Start:
    """By `from_same_model` if the source has the same parameters; else by `from_autoencoder`;
    `from_audio_model`, also for an audio and an image model; `from_image_model` for MBT, or
    `from_classifier` for a model of one modality. The fields are theirs."""
    common: dict[str, Any] = {"target": target, "source": source}
    common |= {"allow_random": allow_random, "allow_unused": allow_unused}
    if not isinstance(source, ModelWeights):
        why = "there are several sources"
        return start_by(from_audio_model, because=why, kernel=kernel, **common)
    if has_same_parameters(target, source):
        why = "the source has the same parameters"
        return start_by(from_same_model, because=why, **common)
    if is_audio_model(source):
        return start_by(from_audio_model, because="the source is a model of audio", **common)
    common["kernel"] = kernel
    if is_autoencoder(source):
        why = "the source is a masked autoencoder, or the encoder of one"
        return start_by(from_autoencoder, because=why, **common)
    if present(OF_MBT, target.flat):
        why = "the source is a supervised model, and this one an MBT"
        return start_by(from_image_model, because=why, bottlenecks=bottlenecks, **common)
    why = "the source is a supervised model, and this one has one modality"
    return start_by(from_classifier, because=why, **common)


def is_audio_model(weights: ModelWeights) -> bool:
    """Whether these are weights of a `SpectrogramTransformer`."""
    kernel: Any = weights.flat.get("embedding/kernel")
    if getattr(kernel, "ndim", 0) != 4 or present([OF_AUTOENCODERS], weights.flat):
        return False
    return "cls" in weights.flat and (set(weights.inputs) == {"audio"} or kernel.shape[2] == 1)


def is_autoencoder(weights: ModelWeights) -> bool:
    """Whether these are weights of a masked autoencoder, of its encoder, or of a model fine-tuned
    from it: their positions are added before the encoder, or fixed."""
    return present([OF_AUTOENCODERS], weights.flat) != [] or ENCODER_TABLE not in weights.flat
