"""MAE with its decoder, by the names of Hugging Face and of its own files. Its encoder alone has
the names of a plain ViT, and learned positions that start as fixed ones."""

from collections.abc import Mapping
from typing import Any

from projects.avmae.checkpoints.autoencoders import (
    DECODER_BLOCK,
    AutoencoderTower,
    decoder_fields,
    decoder_table,
    positions,
)
from scenic_video.weights.families.blocks import (
    BLOCK,
    ENCODER,
    hub_block,
    patches,
    timm_block,
    transformers_block,
)
from scenic_video.weights.families.hub_files import HubModel, square_patch
from scenic_video.weights.families.names import NameTable, Rule, dense, norm

DECODER_PARTS = ("mask_token", "decoder_norm", "decoder_pred")


def _fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Class token, positions, masks and targets of the paper, section 3."""
    return {
        "class_token": True,
        "positions": "sinusoidal",
        "decoder_positions": "sinusoidal",
        "masking_rate": config.get("mask_ratio", 0.75),
        "standardize": "patch" if config.get("norm_pix_loss", True) else "none",
    }


def _sizes_on_the_hub(module: Any, size: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "patch_size": square_patch(module.patch_size),
        "mask_ratio": float(module.masking_rate),
        **decoder_fields(module),
    }


HUB = HubModel(
    "ViTMAEForPreTraining",
    "vit_mae",
    {"class_token": True, "normalize": True},
    _sizes_on_the_hub,
    "ViTImageProcessor",
    has_head=False,
)


def _hugging_face(words: str, layers: str, decoder_layers: str, block: Any) -> AutoencoderTower:
    embeddings = "vit.embeddings"
    embedding = f"{embeddings}.patch_embeddings.projection"
    first = ("attention.q_proj", "attention.attention.query")[block is hub_block]
    encoder = (
        Rule(f"{embeddings}.cls_token", "cls"),
        *patches(embedding),
        *block(f"{layers}.{{i}}", BLOCK),
        *norm("vit.layernorm", f"{ENCODER}/encoder_norm"),
    )
    return _family(
        f"MAE of Hugging Face{words}",
        encoder=encoder,
        prefix="decoder.",
        block=block(f"{decoder_layers}.{{i}}", DECODER_BLOCK),
        signs=tuple(f"{x}.0.{first}.weight" for x in (layers, decoder_layers)),
        patch_kernel=f"{embedding}.weight",
        table=f"{embeddings}.position_embeddings",
        norm_epsilon=1e-12,
        **({} if words else {"hub": HUB, "formats": ("hf-safetensors",)}),
    )


def _own() -> AutoencoderTower:
    encoder = (
        Rule("cls_token", "cls"),
        *patches("patch_embed.proj"),
        *timm_block("blocks.{i}", BLOCK),
        *norm("norm", f"{ENCODER}/encoder_norm"),
    )
    return _family(
        "MAE in its own names",
        encoder=encoder,
        prefix="",
        block=timm_block("decoder_blocks.{i}", DECODER_BLOCK),
        signs=("blocks.0.attn.qkv.weight", "decoder_blocks.0.attn.qkv.weight"),
        patch_kernel="patch_embed.proj.weight",
        table="pos_embed",
    )


def _family(
    name: str,
    *,
    encoder: tuple[Rule, ...],
    prefix: str,
    block: tuple[Rule, ...],
    table: str,
    **fields: Any,
) -> AutoencoderTower:
    """A family with a decoder whose names begin with `prefix`, and with a `table` of positions."""
    tables = (table, f"{prefix}decoder_pos_embed")
    rules = (
        positions(tables[1], "posembed_decoder"),
        *dense(f"{prefix}decoder_embed", "decoder_projection"),
        *block,
    )
    names = [f"{prefix}{part}" for part in DECODER_PARTS]
    return AutoencoderTower(
        name=name,
        table=NameTable((positions(table, "posembed_input"), *encoder)),
        decoder=decoder_table(names, rules),
        decoder_heads=lambda width: 16,
        mask_token=names[0],
        tables=tables,
        fields=_fields,
        **fields,
    )


LAYERS, OLD, NEW = "vit.encoder.layer", "decoder.decoder_layers", "decoder.decoder_encoder.layer"
MASKED_IMAGES = (
    _hugging_face("", LAYERS, OLD, hub_block),
    _hugging_face(", as transformers 5 saves it", LAYERS, NEW, hub_block),
    _hugging_face(", names of transformers 5", "vit.layers", OLD, transformers_block),
    _own(),
)
