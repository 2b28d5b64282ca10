"""The recipe that ViViT, MTV, TokenLearner, MBT and audiovisual MAE share for labelled videos."""

from typing import Any

from ml_collections import ConfigDict

from configs import datasets


def fine_tuning(
    *,
    data: str,
    model: dict[str, Any],
    start: dict[str, Any],
    peak: float,
    num_epochs: int,
    batch_size: int = 64,
    num_frames: int = 32,
    stride: int = 2,
    frame_rate: float | None = None,
    crop: int = 224,
    resize: int | None = None,
    views: str = "4x3",
    color_jitter: bool = True,
    randaugment: tuple[int, int] | None = None,
    task: dict[str, Any] | None = None,
    modalities: tuple[str, ...] = ("rgb",),
    audio: dict[str, Any] | None = None,
    audio_transform: dict[str, Any] | None = None,
    layer_decay: float = 1.0,
) -> ConfigDict:
    """Training on data set `data` (see `configs.datasets`) by momentum and half a cosine.

    `start` is the workdir of the run whose weights this one starts from, and how they are taken.
    RandAugment, (layers, magnitude), takes the place of colour jitter. What is said of colours and
    of audio holds where `modalities` name pictures and spectrograms. Frames have 8/7 of `crop`
    pixels before they are cropped, unless `resize` says how many.
    """
    sees, hears = ("rgb" in modalities), ("audio" in modalities)
    seen: dict[str, Any] = {"num_frames": num_frames, "stride": stride}
    seen |= {"frame_rate": frame_rate} if frame_rate else {}
    seen |= {"resize": resize or crop * 8 // 7, "crop": crop, "modalities": modalities}
    return ConfigDict(
        {
            "seed": 0,
            "dataset": datasets.dataset(data),
            "preprocessing": seen | ({"audio": audio} if hears else {}),
            "transform": _colors(color_jitter, randaugment) if sees else {},
            "audio_transform": (hears and audio_transform) or {},
            "input": {"batch_size": batch_size, "scale_jitter": (0.9, 1.33)},
            "model": model,
            "init": start,
            "task": task or {},
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_cosine",
                "peak": peak,
                "warmup_epochs": 2.5,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:sgd",
                "momentum": 0.9,
                "max_gradient_norm": 1.0,
                "layer_decay": layer_decay,
            },
            "trainer": {"num_epochs": num_epochs},
            "evaluation": {"views": views},
        }
    )


def _colors(color_jitter: bool, randaugment: tuple[int, int] | None) -> dict[str, Any]:
    if randaugment is not None:
        layers, magnitude = randaugment
        return {"randaugment_layers": layers, "randaugment_magnitude": magnitude}
    return {"color_jitter": 0.8, "color_drop": 0.1} if color_jitter else {}
