"""Where the parameters of MBT and of models of one modality come from in a masked autoencoder."""

import dataclasses
import re

import numpy as np

from projects.avmae.grids import grid_of, take_table
from projects.avmae.modalities import IN_PARAMETERS, MODALITIES
from projects.avmae.streams import BLOCK, CLASS_TOKENS, POSITIONS, Encoders, Streams
from scenic_video.errors import UserError
from scenic_video.weights.image_models import take_kernel
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights

DECODER = (
    r"(decoder_projection|mask_token|posembed_decoder|Decoder|Decoder_modality_token"
    r"|output_projection)(_rgb|_spectrogram)?(/.*)?"
)
"""The parts of an autoencoder that are dropped: all that turns encoded tokens into pixels."""


@dataclasses.dataclass(frozen=True)
class AutoencoderOrigins:
    """The origins of the parameters of `target`, with the streams `streams`, in the autoencoder
    `source`, with the encoders `encoders`. Image kernels are inflated by the method `kernel`."""

    target: ModelWeights
    source: ModelWeights
    streams: Streams
    encoders: Encoders
    kernel: str

    @classmethod
    def of(cls, target: ModelWeights, source: ModelWeights, *, kernel: str) -> "AutoencoderOrigins":
        """Errors: UserError if separate encoders are to initialise a shared one."""
        streams, encoders = Streams.of(target.flat), Encoders.of(source.flat)
        if streams.plain is None and not encoders.is_one:
            raise UserError(
                "The model shares its blocks between modalities, but the autoencoder has separate "
                "encoders. Set model.share_encoder=False."
            )
        return cls(target, source, streams, encoders, kernel)

    @property
    def last_norm(self) -> str | None:
        """The path of the autoencoder's last LayerNorm, after pooling if it was fine-tuned; None
        unless there is exactly one."""
        norms = (self.encoders.norm(self.streams.modalities), "encoder_norm")
        found = [norm for norm in norms if f"{norm}/scale" in self.source.flat]
        return found[0] if len(found) == 1 else None

    def take(self, path: str) -> Take | None:
        """Where a parameter comes from; None if it has no counterpart in the autoencoder."""
        if block := BLOCK.fullmatch(path):
            modality = self.streams.modality(block[2])
            return Take(f"{self.encoders.block(modality, int(block[1]))}/{block[3]}")
        if path.startswith(("encoder_norm/", "Transformer/encoder_norm/")):
            norm = self.last_norm
            return None if norm is None else Take(f"{norm}/{path.rpartition('/')[2]}")
        if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
            old = f"{self._named('embedding', match[1])}/{match[2]}"
            return self._patches(old, path) if match[2] == "kernel" else Take(old)
        if match := POSITIONS.fullmatch(path):
            old = f"{self._named('posembed_input', match[2])}/{match[3]}"
            return self._positions(old, path)
        return Take(path)

    def _named(self, stem: str, suffix: str | None) -> str:
        """The autoencoder's name of the parameters with this suffix in the target."""
        return self.encoders.named(stem, "audio" if suffix else self.streams.of_plain_names)

    def _patches(self, old: str, path: str) -> Take:
        return take_kernel(
            old,
            self.target.flat[path].shape,
            kernel=self.source.flat.get(old),
            inflation=self.kernel,
            resampling=self.target.resampling,
        )

    def _positions(self, old: str, path: str) -> Take:
        """Resampled if both grids are known and differ, else unchanged."""
        table, shape = self.source.flat.get(old), self.target.flat[path].shape
        grids = grid_of(self.target, path), grid_of(self.source, old)
        if table is not None and None not in grids and grids[0] != grids[1]:
            resampling = self.target.resampling
            return take_table(old, shape, table.shape, grids=grids, resampling=resampling)
        if table is not None and shape[1] == table.shape[1] + 1:
            return Take(old, _with_zero_row, "zeros for the class token")
        return Take(old)

    def unused(self) -> list[str]:
        """Patterns of the parts of the autoencoder that the target lacks."""
        unused = [DECODER]
        has_token = any(re.fullmatch(CLASS_TOKENS, path) for path in self.target.flat)
        unused += [] if has_token else ["cls"]
        modalities = self.streams.modalities
        for modality in set(MODALITIES) - set(modalities):
            written = IN_PARAMETERS[modality]
            unused.append(rf"(embedding|posembed_input|Transformer)_{written}/.*")
            unused.append(f"Encoder_modality_token_{written}")
        for modality in modalities:
            own = f"Transformer_{IN_PARAMETERS[modality]}/encoder_norm"
            if self.encoders.norm(modalities) != own:
                unused.append(f"{own}/.*")
        return unused


def _with_zero_row(table: np.ndarray) -> np.ndarray:
    return np.pad(table, ((0, 0), (1, 0), (0, 0)))
