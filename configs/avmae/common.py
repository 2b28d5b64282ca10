"""What the audiovisual runs share: AV-MAE (pretraining and fine-tuning) and MBT.

Stages are "audio", "video" and "audiovisual": what a model is fine-tuned and tested on.
"""

from collections.abc import Iterable
from typing import Any

from ml_collections import ConfigDict

from configs import datasets
from configs.augmentations import spec_augment
from configs.fine_tuning import fine_tuning
from configs.nodes import merged
from configs.starts import IMAGENET21K, source
from scenic_video.layers.sizes import size

MODALITIES = {
    "audio": ("audio",),
    "video": ("rgb",),
    "audiovisual": ("rgb", "audio"),
}
DECODERS = {
    "B": {"hidden_size": 384, "mlp_dim": 1536, "num_layers": 4, "num_heads": 6},
    "L": {"hidden_size": 512, "mlp_dim": 2048, "num_layers": 4, "num_heads": 8},
}

PUBLIC = {
    "vggsound_800": "av-mae-l-vggsound",
    "audioset_120": "av-mae-l-audioset",
    "audioset_audio": "av-mae-l-audioset-audio",
}
"""The pretraining of which the weights are public, by its variant in pretraining.py."""


def audio(seconds: float) -> dict[str, Any]:
    """Spectrograms, normalised by the statistics of AudioSet on all data sets."""
    return {"seconds": seconds, "mean": 1.102, "std": 2.762}


def autoencoder(size_name: str, **fields: Any) -> dict[str, Any]:
    """The model node of pretraining."""
    model = "projects.avmae.pretraining.model:AudiovisualMaskedAutoencoder"
    decoder = {f"decoder_{name}": value for name, value in DECODERS[size_name].items()}
    common = {"dtype": "bfloat16", "remat": size_name == "L"}
    return {"target": model} | size(size_name) | decoder | common | fields


def pretraining(
    *,
    data: str,
    model: dict[str, Any],
    masking_rates: dict[str, float],
    peak: float,
    num_epochs: int,
    seconds: float,
    stage: str = "audiovisual",
    **nodes: dict[str, Any],
) -> ConfigDict:
    """Masked reconstruction of 16 frames and `seconds` of audio, with AdamW and batches of 512.

    Only the `masking_rates` of the stage's modalities are used. `nodes` are further fields of the
    nodes of the config.
    """
    modalities = MODALITIES[stage]
    rates = {name: masking_rates[name] for name in modalities}
    seen = {"num_frames": 16, "stride": 4, "modalities": modalities}
    target = "scenic_video.tasks.masked_reconstruction:MaskedReconstruction"
    recipe = merged(
        {
            "dataset": datasets.dataset(data),
            "preprocessing": seen | ({"audio": audio(seconds)} if "audio" in modalities else {}),
            "input": {"batch_size": 512},
            "model": model | {"modalities": modalities, "masking_rates": rates},
            "task": {"target": target},
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_cosine",
                "peak": peak,
                "warmup_epochs": 4,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:adamw",
                "betas": (0.9, 0.95),
                "weight_decay": 0.05,
            },
            "trainer": {"num_epochs": num_epochs},
            "evaluation": {"views": "1x1"},
        },
        nodes,
    )
    return ConfigDict(recipe)


def from_autoencoder(start: str, **how: Any) -> dict[str, Any]:
    """Starts from a pretrained autoencoder, of a run or a public checkpoint."""
    target = "projects.avmae.pretrained:from_autoencoder"
    return {"target": target} | source(start) | how


def from_pretraining(variant: str) -> dict[str, Any]:
    """Starts from the autoencoder of this variant of pretraining.py: its public weights, or those
    of its run if there are none."""
    return from_autoencoder(PUBLIC.get(variant, f"runs/avmae/pretraining_{variant}"))


def transfer(
    stage: str,
    *,
    data: str,
    size_name: str,
    start: dict[str, Any],
    fusion_layer: int,
    peak: float = 0.8,
    **nodes: dict[str, Any],
) -> ConfigDict:
    """The fine-tuning of the public AV-MAE configs, with layer-wise learning rates.

    `nodes` are further fields of the config's nodes.
    """
    model = {"target": "projects.avmae.model:PretrainedMBT", "classifier": "gap"}
    fusion = {"modalities": MODALITIES[stage], "fusion_layer": fusion_layer, "num_bottlenecks": 4}
    regular = {"stochastic_depth_rate": 0.3, "dtype": "bfloat16", "remat": size_name == "L"}
    recipe = {
        "preprocessing": {"modalities": MODALITIES[stage], "audio": audio(8.0)},
        "augmentation": {
            "audio": [spec_augment()],
            "mixing": {"mixup_alpha": 0.5, "mixmod": stage == "audiovisual"},
        },
        "task": {"label_smoothing": 0.3},
        "optimizer": {"layer_decay": 0.75},
        "evaluation": {"views": "4x1"},
    }
    return fine_tuning(
        data=data,
        model=model | size(size_name) | fusion | regular,
        start=start,
        peak=peak,
        num_epochs=50,
        **merged(recipe, nodes),
    )


def ablation_variants(rows: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Variant -> (row, stage): each row is pretrained (no stage) and fine-tuned on each stage."""
    pairs = [(row, stage) for row in rows for stage in ("", *MODALITIES)]
    return {"_".join(filter(None, pair)): pair for pair in pairs}


def ablation_pretraining(
    *, stage: str = "audiovisual", task: dict[str, Any] | None = None, **fields: Any
) -> ConfigDict:
    """Pretraining of B for the ablations on VGGSound; `fields` are further fields of the model."""
    return pretraining(
        data="vggsound",
        model=autoencoder("B", **fields),
        masking_rates={"rgb": 0.9, "audio": 0.5},
        peak=3e-4,
        num_epochs=400,
        seconds=8.0,
        stage=stage,
        task=task or {},
    )


def ablation_transfer(stage: str, workdir: str, **how: Any) -> ConfigDict:
    """Fine-tuning on VGGSound from an autoencoder that an ablation has pretrained."""
    start = from_autoencoder(workdir, **how)
    return transfer(stage, data="vggsound", size_name="B", start=start, fusion_layer=8)


def mbt(
    stage: str, *, data: str, mixup_alpha: float = 0.5, mixmod: bool = True, stride: int = 2
) -> ConfigDict:
    """MBT-B from a ViT trained on ImageNet-21k, as in the public config for AudioSet."""
    model = {"target": "projects.avmae.model:MBT", "modalities": MODALITIES[stage]}
    fusion = {"fusion_layer": 8, "num_bottlenecks": 4, "classifier": "token"}
    regular = {"stochastic_depth_rate": 0.3, "dtype": "bfloat16"}
    start = {
        "target": "projects.avmae.pretrained:from_image_model",
        "path": IMAGENET21K["b16"],
        "bottlenecks": "positions",
    }
    return fine_tuning(
        data=data,
        model=model | size("B") | fusion | regular,
        start=start,
        peak=0.5,
        num_epochs=50,
        preprocessing={
            "stride": stride,
            "modalities": MODALITIES[stage],
            "audio": audio(8.0),
        },
        augmentation={
            "audio": [spec_augment()],
            "mixing": {
                "mixup_alpha": mixup_alpha,
                "mixmod": mixmod and stage == "audiovisual",
            },
        },
        task={"label_smoothing": 0.3},
        evaluation={"views": "4x1"},
    )
