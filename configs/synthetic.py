"""The recipe shared by runs on synthetic audiovisual actions: clips, optimizer, evaluation."""

from typing import Any

from ml_collections import ConfigDict

from configs.nodes import merged

AUDIO = dict(
    seconds=1.6,
    hop_seconds=0.02,
    window_seconds=0.05,
    fft_size=1024,
    num_mel_bins=32,
    highest_frequency=2000,
    log_offset=1.0,
    mean=0.7,
    std=0.91,
)
"""80 columns of 32 mel bins, which hold the tones; the offset keeps their noise small."""


def training(
    *,
    model: dict[str, Any],
    num_steps: int,
    peak: float = 1e-3,
    head: str = "action",
    modalities: tuple[str, ...] = ("rgb",),
    crop: int = 32,
    **nodes: dict[str, Any],
) -> ConfigDict:
    """Trains `model` on 1,000 clips for one label.

    The warm-up is a tenth of the steps. Frames are resized to 9/8 of `crop` pixels before cropping.
    `nodes` are further fields of the nodes of the config.
    """
    seen = {"num_frames": 16, "resize": crop * 9 // 8, "crop": crop, "modalities": modalities}
    recipe = merged(
        {
            "seed": 0,
            "dataset": {
                "target": "scenic_video.data.synthetic:dataset",
                "directory": "data/synthetic",
                "num_clips": 1200,
                "test_fraction": 1 / 6,
                "heads": (head,),
                "num_workers": 2,
            },
            "preprocessing": seen | ({"audio": AUDIO} if "audio" in modalities else {}),
            "input": {"batch_size": 32},
            "model": model,
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_cosine",
                "peak": peak,
                "warmup_steps": num_steps // 10,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:adamw",
                "weight_decay": 0.05,
                "max_gradient_norm": 1.0,
            },
            "trainer": {"num_steps": num_steps, "log_every": 25, "eval_every": num_steps // 3},
            "evaluation": {"split": "test", "views": "1x1", "batch_size": 40},
        },
        nodes,
    )
    return ConfigDict(recipe)
