"""Finds the modalities and blocks of the streams of a model from its parameter paths."""

import collections
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from projects.avmae.modalities import IN_PARAMETERS
from scenic_video.errors import UserError

SUFFIXES = {"": "", "_rgb": "rgb", "_spec": "audio", "_spectrogram": "audio"}
"""The suffixes of block names, and their modalities."""

BLOCK = re.compile(r"Transformer/encoderblock_(\d+)([a-z_]*)/(.*)")
POSITIONS = re.compile(r"(Transformer/)?posembed_input(_spectrogram)?/(.*)")
CLASS_TOKENS = "cls(_?spectrogram)?"


@dataclasses.dataclass(frozen=True)
class Streams:
    """The streams of a model to fine-tune: MBT, or a model of one modality.

    `modalities` are its inputs; `plain` is the one whose blocks have no suffix, None if all share
    their blocks.
    """

    modalities: tuple[str, ...]
    plain: str | None

    @classmethod
    def of(cls, target: Mapping[str, Any]) -> "Streams":
        """From the paths of its parameters. A patch with only rows and columns is taken as one of a
        spectrogram, which makes no difference for an image autoencoder."""
        modalities = ["audio"] if "embedding_spectrogram/kernel" in target else []
        if "embedding/kernel" in target:
            flat = target["embedding/kernel"].ndim == 4 and not modalities
            modalities.insert(0, "audio" if flat else "rgb")
        blocks = (BLOCK.fullmatch(path) for path in target)
        suffixed = {SUFFIXES[match[2]] for match in blocks if match and match[2]}
        plain = [name for name in modalities if name not in suffixed]
        return cls(tuple(modalities), plain[0] if len(plain) == 1 else None)

    @property
    def of_plain_names(self) -> str:
        """The modality of parameters without a suffix, outside blocks: video if there are two."""
        return self.modalities[0]

    def modality(self, suffix: str) -> str:
        """The modality of blocks with this suffix; for shared blocks, the first one."""
        return SUFFIXES[suffix] or self.plain or self.modalities[0]


@dataclasses.dataclass(frozen=True)
class Encoders:
    """The encoders of a masked autoencoder, found from the paths of its parameters.

    One "Transformer" for all ("early" or "shared"), one for each modality ("separate"), or these
    and "Transformer_concat" over both ("mid"). `layers` is the number of blocks by name, `names`
    are the first parts of all paths.
    """

    layers: Mapping[str, int]
    names: frozenset[str]

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> "Encoders":
        pattern = re.compile(r"(Transformer[a-z_]*)/encoderblock_(\d+)/.*")
        found = {match.groups() for path in source if (match := pattern.fullmatch(path))}
        if not found:
            raise UserError(
                "The source is not a masked autoencoder: it has neither "
                "'Transformer/encoderblock_0' nor one for each modality, "
                f"but {', '.join(sorted(source)[:3])}, ..."
            )
        layers = collections.Counter(name for name, _ in found)
        return cls(layers, frozenset(path.partition("/")[0] for path in source))

    @property
    def is_one(self) -> bool:
        return "Transformer" in self.layers

    @property
    def joint(self) -> bool:
        return "Transformer_concat" in self.layers

    def block(self, modality: str, layer: int) -> str:
        """The path of block `layer` in the stream of a modality."""
        if self.is_one:
            return f"Transformer/encoderblock_{layer}"
        unimodal = f"Transformer_{IN_PARAMETERS[modality]}"
        own = self.layers.get(unimodal, 0)
        if self.joint and layer >= own:
            return f"Transformer_concat/encoderblock_{layer - own}"
        return f"{unimodal}/encoderblock_{layer}"

    def norm(self, modalities: tuple[str, ...]) -> str | None:
        """The path of the last LayerNorm of these modalities; None if each has its own."""
        if self.is_one:
            return "Transformer/encoder_norm"
        if self.joint:
            return "Transformer_concat/encoder_norm"
        if len(modalities) != 1:
            return None
        return f"Transformer_{IN_PARAMETERS[modalities[0]]}/encoder_norm"

    def named(self, stem: str, modality: str) -> str:
        """The name of the parameters of a modality, without a suffix if it is the only one."""
        with_suffix = f"{stem}_{IN_PARAMETERS[modality]}"
        return with_suffix if with_suffix in self.names else stem
