"""Initialises the audio stream of MBT, or a model of audio alone, from AST or AudioMAE."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from projects.avmae.pretrained import NEW_PARTS, from_image_model
from projects.avmae.streams import BLOCK, CLASS_TOKENS, POSITIONS, Streams
from scenic_video.errors import UserError
from scenic_video.layers.positions import sinusoidal_positions
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    grid_of_positions,
    num_class_tokens,
    present,
    take_kernel,
    take_positions,
)
from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights

SOURCE_TABLE = f"Transformer/{TABLE}"
NORM_OF_TOKENS, NORM_OF_POOLED = "Transformer/encoder_norm", "encoder_norm"
"""The last LayerNorms of a `SpectrogramTransformer`, which has one or both."""


def from_audio_model(
    *,
    target: ModelWeights,
    source: ModelWeights | Sequence[ModelWeights],
    kernel: str = "central_frame",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of `target`, whose audio stream is initialised from the
    `SpectrogramTransformer` `source`, and a report.

    `target` is an `MBT` or `PretrainedMBT` of audio or of both modalities, or a `PretrainedViT` of
    audio. For both, `source` is that model and a ViT, which initialises all else as in
    `from_image_model` with the method `kernel`; with one source, the rest of the model has to be in
    `allow_random`.

    Positions are resampled from the grid of the source's patches, which may overlap; fixed ones
    become learned ones if the target learns its own. Patch kernels are adapted to the target's
    channels by `change_channels`. AST's distillation token is not used. The head and the
    bottlenecks are randomly initialised. Any other mismatch is an error, unless it is declared as
    in `initialize`.
    """
    declared = {"allow_random": allow_random, "allow_unused": allow_unused}
    if isinstance(source, ModelWeights):
        return AudioOrigins.of(target, source).initialized(
            allow_random=[*present(NEW_PARTS, target.flat), *allow_random],
            allow_unused=allow_unused,
        )
    if len(source) != 2:
        raise UserError(
            f"The streams start from an audio model and an image model, in this order; got "
            f"{len(source)} sources. Name two in init.path."
        )
    return _from_both(target, *source, kernel=kernel, **declared)


@dataclasses.dataclass(frozen=True)
class AudioOrigins:
    """The origins of the parameters of `target` of which audio is the only modality (`streams`), in
    the audio model `source`."""

    target: ModelWeights
    source: ModelWeights
    streams: Streams

    @classmethod
    def of(cls, target: ModelWeights, source: ModelWeights) -> "AudioOrigins":
        """Errors: UserError if one of both is no model of audio."""
        streams = Streams.of(target.flat)
        if "audio" not in streams.modalities:
            raise UserError("The model has no audio stream, which an audio model could start.")
        kernel: Any = source.flat.get("embedding/kernel")
        if getattr(kernel, "ndim", 0) != 4:
            raise UserError(
                f"The weights of {source.name} are not those of an audio model, which has a patch "
                "kernel [time, mel bins, channels, width]. Use a function of "
                "projects.avmae.pretrained as init.target."
            )
        learns = any(POSITIONS.fullmatch(path) for path in target.flat)
        if learns and SOURCE_TABLE not in source.flat:
            source = _with_table(source, width=kernel.shape[-1])
        return cls(target, source, streams)

    def initialized(
        self, *, allow_random: Sequence[str], allow_unused: Sequence[str]
    ) -> tuple[dict[str, Any], LoadReport]:
        takes = {path: take for path in self.target.flat if (take := self.take(path)) is not None}
        return initialize(
            target=self.target,
            source=self.source,
            takes=takes,
            allow_random=allow_random,
            allow_unused=[*self._unused(), *allow_unused],
        )

    def take(self, path: str) -> Take | None:
        """Where a parameter of the audio stream comes from; None for all others."""
        alone = self.streams.modalities == ("audio",)
        if block := BLOCK.fullmatch(path):
            own = self.streams.modality(block[2]) == "audio"
            return Take(f"Transformer/encoderblock_{block[1]}/{block[3]}") if own else None
        if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
            if not (alone or match[1]):
                return None
            old = f"embedding/{match[2]}"
            shape = self.target.flat[path].shape
            if match[2] == "bias":
                return Take(old)
            kernel, resampling = self.source.flat.get(old), self.target.resampling
            return take_kernel(old, shape, kernel=kernel, resampling=resampling)
        if match := POSITIONS.fullmatch(path):
            return self._positions(path, match[2]) if alone or match[2] else None
        if re.fullmatch(CLASS_TOKENS, path):
            return Take("cls") if alone or path != "cls" else None
        if alone and (norm := re.fullmatch("(?:Transformer/)?encoder_norm/(.*)", path)):
            return Take(f"{self._last_norm()}/{norm[1]}")
        return None

    def _last_norm(self) -> str:
        has_norm_of_tokens = f"{NORM_OF_TOKENS}/scale" in self.source.flat
        return NORM_OF_TOKENS if has_norm_of_tokens else NORM_OF_POOLED

    def _positions(self, path: str, suffix: str | None) -> Take:
        """The source's table has places for one or two class tokens."""
        table = self.target.flat[path]
        has_token = any(re.fullmatch(CLASS_TOKENS, name) for name in self.target.flat)
        # In a model to be fine-tuned from an autoencoder, a class token has no position.
        has_token &= path.startswith("Transformer/")
        number = table.shape[1] - has_token
        return take_positions(
            SOURCE_TABLE,
            grid=grid_of_positions(self.target, number, "audio", f"embedding{suffix or ''}"),
            class_tokens=int(has_token),
            image_class_tokens=num_class_tokens(self.source),
            image_grid=self.source.token_grid("audio"),
            resampling=self.target.resampling,
        )

    def _unused(self) -> list[str]:
        """Patterns of the arrays that an audio stream has no place for."""
        streams = self.streams
        has_token = any(re.fullmatch(CLASS_TOKENS, path) for path in self.target.flat)
        unused = [HEAD, "cls_distillation"] + ([] if has_token else ["cls"])
        norms = {NORM_OF_TOKENS, NORM_OF_POOLED}
        used = {self._last_norm()} if streams.modalities == ("audio",) else set()
        return unused + [f"{norm}/.*" for norm in norms - used]


def _from_both(
    target: ModelWeights,
    audio: ModelWeights,
    image: ModelWeights,
    *,
    kernel: str,
    allow_random: Sequence[str],
    allow_unused: Sequence[str],
) -> tuple[dict[str, Any], LoadReport]:
    """The image model initialises what the audio model does not."""
    origins = AudioOrigins.of(target, audio)
    of_audio = {path for path in target.flat if origins.take(path) is not None}
    params, of_image = from_image_model(
        target=target,
        source=image,
        kernel=kernel,
        allow_random=[*map(re.escape, sorted(of_audio)), *allow_random],
        allow_unused=allow_unused,
    )
    origins = dataclasses.replace(origins, target=dataclasses.replace(target, params=params))
    others = [re.escape(path) for path in target.flat if path not in of_audio]
    params, report = origins.initialized(
        allow_random=[*others, *allow_random], allow_unused=allow_unused
    )
    rows = {row.path: row for row in of_image.rows}
    rows |= {row.path: row for row in report.rows if row.path in of_audio}
    unused = (*report.unused, *(path for path in of_image.unused if path not in report.unused))
    return params, LoadReport(tuple(rows.values()), unused)


def _with_table(source: ModelWeights, *, width: int) -> ModelWeights:
    """The source with its fixed positions as a table, in which the class token's are zeros."""
    grid = source.token_grid("audio")
    if grid is None:
        raise UserError(
            f"The fixed positions of {source.name} need its grid of patches over time and mel bins."
            " Set init.source_grid=(time, mel bins)."
        )
    table = np.pad(sinusoidal_positions(grid, width), ((1, 0), (0, 0)))[None]
    params = unflatten_dict({**source.flat, SOURCE_TABLE: table}, sep="/")
    return dataclasses.replace(source, params=params)
