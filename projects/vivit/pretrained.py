"""Initialises a ViT or ViViT from an image model or from another ViViT (section 3.4)."""

from collections.abc import Sequence
from typing import Any

from projects.vivit.origins import TIME_ATTENTION, Origins, TimeAttention
from scenic_video.errors import UserError
from scenic_video.weights.image_models import HEAD, is_image_model, present, require_image_model
from scenic_video.weights.initialize import initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.starts import Start, has_same_parameters, start_by

TEMPORAL = r"(cls_)?TemporalTransformer.*"
OF_AUTOENCODERS = ("encoder_norm/.*", "(mask_token|decoder_projection|Decoder).*")
"""The parts of masked autoencoders and of models fine-tuned from them that no ViViT has."""


def start(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    time_attention: TimeAttention = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> Start:
    """By `from_same_model` if the two have the same parameters, else by `from_image_model` or
    `from_video_model`, whose fields these are."""
    common = {"target": target, "source": source}
    common |= {"allow_random": allow_random, "allow_unused": allow_unused}
    if has_same_parameters(target, source):
        why = "the source has the same parameters"
        return start_by(from_same_model, because=why, **common)
    if present(OF_AUTOENCODERS, source.flat):
        raise UserError(
            f"The weights of {source.name} are those of a masked autoencoder. Set "
            "init.target=projects.avmae.pretrained:from_autoencoder."
        )
    common["time_attention"] = time_attention
    if is_image_model(source, "rgb") and not present([TIME_ATTENTION], source.flat):
        why = "the source is an image model"
        return start_by(from_image_model, because=why, kernel=kernel, **common)
    return start_by(from_video_model, because="the source is a video model", **common)


def from_image_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    time_attention: TimeAttention = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the ViT or ViViT `target`, initialised from the ViT `source`, and a report.

    Positions are resampled from the grid of the image to that of a frame, and repeated over time
    (see `take_positions`); the kernel is inflated by `inflate_kernel` with the method `kernel`, and
    that of other patches follows `Resampling`. The temporal transformer of a factorised encoder is
    randomly initialised. In factorised self-attention, attention over space is loaded; attention
    over time is "random", a "copy" of it, or "zero", random but for its last layer, by
    `time_attention`. The head is randomly initialised; the image's class token is dropped if the
    ViViT has none. One that only the ViViT has is as in a new model, with zeros in the table of
    positions. Any other mismatch is an error, unless it is declared as in `initialize`.
    """
    require_image_model(
        source, instead="Use init.target=projects.vivit.pretrained:from_video_model."
    )
    origins = Origins(target, source, time_attention, kernel)
    unused = [HEAD, "MAPHead_0/.*"]
    unused += ["pre_logits/.*"] if "pre_logits/kernel" not in target.flat else []
    return initialize(
        target=target,
        source=source,
        takes={path: origins.from_image(path) for path in target.flat},
        allow_random=[*present([HEAD, TEMPORAL, *origins.random()], target.flat), *allow_random],
        allow_unused=[*unused, *origins.unused(), *allow_unused],
    )


def from_video_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    time_attention: TimeAttention = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the ViViT `target`, initialised from a ViViT of the same architecture, or
    from joint attention: factorised self-attention, factorised dot-product attention, or a
    factorised encoder; and a report.

    Positions are resampled from the grid of the source to that of the target; those of a factorised
    encoder's frames are the mean over time of those of joint attention. Attention over time, which
    joint attention lacks, follows `time_attention` as in `from_image_model`, as do class tokens and
    the temporal transformer. The head is randomly initialised.
    """
    origins = Origins(target, source, time_attention)
    random = [HEAD, *origins.random()]
    random += [] if present([TEMPORAL], source.flat) else [TEMPORAL]
    return initialize(
        target=target,
        source=source,
        takes={path: origins.from_video(path) for path in target.flat},
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[HEAD, *origins.unused(), *allow_unused],
    )


def from_same_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of `target`, including those of the head, from a source with the same ones,
    and a report.

    Images and clips may be of another size: positions and patches are resampled.
    """
    origins = Origins(target, source)
    return initialize(
        target=target,
        source=source,
        takes={path: origins.from_video(path) for path in target.flat},
        allow_random=allow_random,
        allow_unused=allow_unused,
    )
