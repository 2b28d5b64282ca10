"""What the ViViT runs share: the model nodes, and the recipe of the paper's appendix (table 7)."""

from typing import Any

from ml_collections import ConfigDict

from scenic_video.layers.sizes import size


def vivit(architecture: str, size_name: str, **fields: Any) -> dict[str, Any]:
    """The model node of a class of projects.vivit.model, in tubelets of 16 x 16 x 2."""
    fields = {"tubelet_size": (2, 16, 16), "dtype": "bfloat16"} | fields
    return {"target": f"projects.vivit.model:{architecture}"} | size(size_name) | fields


def recipe(
    *,
    data: str,
    model: dict[str, Any],
    start: dict[str, Any],
    peak: float,
    num_epochs: int,
    stride: int = 2,
    resize: int = 256,
    crop: int = 224,
    views: str = "4x3",
    randaugment: tuple[int, int] | None = None,
    label_smoothing: float = 0.0,
    mixup_alpha: float = 0.0,
    **dataset: Any,
) -> ConfigDict:
    """Fine-tuning on the folder data/<data>, which holds train.csv and validate.csv.

    `start` is the workdir of the run whose weights this one starts from, and how they are taken.
    Colours are jittered unless there is RandAugment, (layers, magnitude).
    """
    colors = {"color_jitter": 0.8, "color_drop": 0.1}
    if randaugment is not None:
        layers, magnitude = randaugment
        colors = {"randaugment_layers": layers, "randaugment_magnitude": magnitude}
    splits = {"train": f"data/{data}/train.csv", "test": f"data/{data}/validate.csv"}
    return ConfigDict(
        {
            "seed": 0,
            "dataset": {"target": "scenic_video.data.datasets:manifest", "splits": splits}
            | dataset,
            "preprocessing": {"num_frames": 32, "stride": stride, "resize": resize, "crop": crop},
            "transform": colors,
            "input": {"batch_size": 64, "scale_jitter": (0.9, 1.33)},
            "model": model,
            "init": start,
            "task": {"label_smoothing": label_smoothing, "mixup_alpha": mixup_alpha},
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
            "evaluation": {"split": "test", "views": views},
        }
    )


def from_image(workdir: str, grid: tuple[int, ...] = (16, 14, 14), **how: Any) -> dict[str, Any]:
    """Starts from the ViT of `workdir`; `grid` is how many tokens a clip has (t, h, w)."""
    target = "projects.vivit.pretrained:from_image_model"
    return {"target": target, "workdir": workdir, "grid": grid} | how


def from_same(workdir: str) -> dict[str, Any]:
    """Starts from a run of the same model on other classes: all but the head."""
    head = ("output_projection/.*",)
    return {"workdir": workdir, "allow_fresh": head, "allow_unused": head}
