"""What the config.json of timm's files says, in the words of Hugging Face's."""

import re
from collections.abc import Mapping
from typing import Any

APPROXIMATE_GELU = (
    r"vit_base_patch32_siglip_.*|vit_large_patch16_siglip_(gap_)?512.*"
    r"|vit_so400m_patch16_siglip_.*|vit_giantopt_patch16_siglip_.*"
)
"""The architectures of timm with the tanh approximation of GELU; all other plain ViTs have GELU."""


def with_words_of_hugging_face(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """`metadata` with the fields of a config.json and preprocessor_config.json of Hugging Face, if
    it holds a config.json of timm; otherwise unchanged."""
    config = metadata.get("config") or {}
    if "architecture" not in config:
        return dict(metadata)
    stated = config.get("pretrained_cfg") or {}
    known: dict[str, Any] = {}
    activation = (config.get("model_args") or {}).get("act_layer", "gelu")
    if re.fullmatch(APPROXIMATE_GELU, config["architecture"]) or activation == "gelu_tanh":
        known["hidden_act"] = "gelu_pytorch_tanh"
    if names := stated.get("label_names") or config.get("label_names"):
        known["id2label"] = dict(enumerate(names))
    processor: dict[str, Any] = {"image_mean": stated.get("mean"), "image_std": stated.get("std")}
    if size := stated.get("input_size"):
        known["image_size"] = processor["crop_size"] = min(size[1:])
        processor["size"] = int(processor["crop_size"] / (stated.get("crop_pct") or 1))
    return {**metadata, "config": {**config, **known}, "preprocessor_config": processor}
