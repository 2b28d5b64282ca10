"""A folder that `from_pretrained` of Hugging Face's library transformers opens."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.weights.containers import safetensors
from scenic_video.weights.families.family import Weights
from scenic_video.weights.writing.model_card import model_card

CARD = "README.md"


def write(
    folder: Path,
    weights: Weights,
    leaves: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
) -> tuple[str, ...]:
    """model.safetensors, the JSON files of `metadata` such as "config", and a model card.

    Returns sentences on what could not be stated.
    """
    folder.mkdir()
    safetensors.write(folder / "model.safetensors", leaves, {"format": "pt"})
    for name, fields in metadata.items():
        (folder / f"{name}.json").write_text(json.dumps(fields, indent=2) + "\n")
    (folder / CARD).write_text(model_card(weights, metadata.get("config", {})))
    if "preprocessor_config" in metadata:
        return ()
    return (
        "No preprocessor_config.json was written, because the checkpoint does not state the mean "
        "and standard deviation of pixels.",
    )
