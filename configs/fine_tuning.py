"""The recipe for labelled videos that ViViT, MTV, TokenLearner, MBT and audiovisual MAE share."""

from typing import Any

from ml_collections import ConfigDict

from configs import datasets
from configs.augmentations import COLOR_JITTER, SCALE_JITTER
from configs.nodes import merged


def fine_tuning(
    *,
    data: str,
    model: dict[str, Any],
    start: dict[str, Any],
    peak: float,
    num_epochs: int,
    **nodes: dict[str, Any],
) -> ConfigDict:
    """Training on the data set `data` (see `configs.datasets`) with momentum and a cosine schedule.

    `start` is the node `init`: the initial weights. `nodes` are further fields of the nodes of the
    config. Fields of `audio`, and augmentations of modalities that are not inputs, are left out.
    Frames are resized to 8/7 of `preprocessing.crop` pixels before cropping, unless `resize` is
    set.
    """
    recipe = merged(
        {
            "seed": 0,
            "dataset": datasets.dataset(data),
            "preprocessing": {"num_frames": 32, "stride": 2, "crop": 224, "modalities": ("rgb",)},
            "augmentation": {"geometry": SCALE_JITTER, "rgb": [COLOR_JITTER]},
            "input": {"batch_size": 64},
            "model": model,
            "init": start,
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_cosine",
                "peak": peak,
                "warmup_epochs": 2.5,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:sgd",
                "momentum": 0.9,
                "max_gradient_norm": 1.0,
            },
            "trainer": {"num_epochs": num_epochs},
            "evaluation": {"views": "4x3"},
        },
        nodes,
    )
    recipe["preprocessing"] = _preprocessing(**recipe["preprocessing"])
    recipe["augmentation"] = _of(recipe["preprocessing"]["modalities"], recipe["augmentation"])
    return ConfigDict(recipe)


def _preprocessing(**fields: Any) -> dict[str, Any]:
    kept = {name for name in fields if name != "audio" or "audio" in fields["modalities"]}
    return {"resize": fields["crop"] * 8 // 7} | {name: fields[name] for name in kept}


def _of(modalities: tuple[str, ...], augmentation: dict[str, Any]) -> dict[str, Any]:
    known = ("geometry", *modalities, "mixing")
    return {name: fields for name, fields in augmentation.items() if name in known}
