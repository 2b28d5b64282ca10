"""VideoMAE before fine-tuning, with its decoder, by the names of Hugging Face and of its own
files."""

from collections.abc import Mapping
from typing import Any

from projects.avmae.checkpoints.autoencoders import (
    DECODER_BLOCK,
    AutoencoderTower,
    decoder_fields,
    decoder_table,
)
from projects.avmae.checkpoints.video_mae_names import BIASES, hub_block, own_block
from scenic_video.weights.families.blocks import BLOCK, ENCODER, patches
from scenic_video.weights.families.hub_files import HubModel, square_patch
from scenic_video.weights.families.layouts import LINEAR, TUBELETS
from scenic_video.weights.families.names import NameTable, Rule, norm

DECODER_NAMES = ("mask_token", "decoder.norm", "decoder.head")
PROJECTION = Rule("encoder_to_decoder.weight", "decoder_projection/kernel", LINEAR)


def _fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Masks and targets of the paper, sections 3.3 and 4.2."""
    return {
        "masking": "tube",
        "masking_rate": 0.9,
        "standardize": "patch_channels" if config.get("norm_pix_loss", True) else "none",
    }


def _sizes_on_the_hub(module: Any, size: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "num_frames": size[0],
        "tubelet_size": int(module.patch_size[0]),
        "patch_size": square_patch(module.patch_size),
        "use_mean_pooling": module.normalize == "decoder",
        **decoder_fields(module),
    }


HUB = HubModel(
    "VideoMAEForPreTraining",
    "videomae",
    {"positions": "sinusoidal_1d", "decoder_positions": "sinusoidal_1d", "class_token": False},
    _sizes_on_the_hub,
    "VideoMAEImageProcessor",
    has_head=False,
)


def _hugging_face(biases: tuple[str, str]) -> AutoencoderTower:
    embedding = "videomae.embeddings.patch_embeddings.projection"
    layers = "videomae.encoder.layer"
    encoder = (
        *patches(embedding, layout=TUBELETS),
        *hub_block(f"{layers}.{{i}}", BLOCK, biases),
        *norm("videomae.layernorm", f"{ENCODER}/encoder_norm"),
    )
    on_hub = biases == BIASES[0]
    words = "" if on_hub else ", names of transformers 5"
    return _family(
        name=f"VideoMAE of Hugging Face, with its decoder{words}",
        encoder=encoder,
        block=hub_block("decoder.decoder_layers.{i}", DECODER_BLOCK, biases),
        signs=(f"{layers}.0.attention.attention.{biases[0]}", "encoder_to_decoder.weight"),
        patch_kernel=f"{embedding}.weight",
        norm_epsilon=1e-12,
        **({"hub": HUB, "formats": ("hf-safetensors",)} if on_hub else {}),
    )


def _own() -> AutoencoderTower:
    encoder = (
        *patches("encoder.patch_embed.proj", layout=TUBELETS),
        *own_block("encoder.blocks.{i}", BLOCK),
        *norm("encoder.norm", f"{ENCODER}/encoder_norm"),
    )
    return _family(
        name="VideoMAE in its own names, with its decoder",
        encoder=encoder,
        block=own_block("decoder.blocks.{i}", DECODER_BLOCK),
        signs=("encoder.blocks.0.attn.q_bias", "encoder_to_decoder.weight"),
        patch_kernel="encoder.patch_embed.proj.weight",
        formats=("videomae-pth",),
    )


def _family(
    name: str, *, encoder: tuple[Rule, ...], block: tuple[Rule, ...], **fields: Any
) -> AutoencoderTower:
    return AutoencoderTower(
        name=name,
        table=NameTable(encoder),
        decoder=decoder_table(DECODER_NAMES, (PROJECTION, *block)),
        decoder_heads=lambda width: width // 64,
        patch_axes=3,
        num_frames=16,
        fields=_fields,
        **fields,
    )


MASKED_VIDEOS = (*(_hugging_face(biases) for biases in BIASES), _own())
