"""What the ViViT runs share: the model nodes, their initial weights, and the recipe of L and H."""

from typing import Any

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.starts import IMAGENET21K, source
from scenic_video.layers.sizes import size

RANDOM_PATCHES = {"allow_random": ("embedding/.*",), "allow_unused": ("embedding/.*",)}
"""Fields of `init` for a randomly initialised patch embedding."""


def vivit(architecture: str, size_name: str, **fields: Any) -> dict[str, Any]:
    """The model node of a class of projects.vivit.model, with tubelets of 16 x 16 x 2."""
    fields = {"tubelet_size": (2, 16, 16), "dtype": "bfloat16"} | fields
    return {"target": f"projects.vivit.model:{architecture}"} | size(size_name) | fields


def from_image(size_and_patch: str, **how: Any) -> dict[str, Any]:
    """Starts from the public ViT "b16", "l16" or "h14", trained on ImageNet-21k."""
    target = "projects.vivit.pretrained:from_image_model"
    return {"target": target, "path": IMAGENET21K[size_and_patch]} | how


def from_same(start: str) -> dict[str, Any]:
    """Starts from the same model on other classes, of a run or a public checkpoint; all but the
    head is loaded."""
    head = ("output_projection/.*",)
    return source(start) | {"allow_random": head, "allow_unused": head}


def joint_training(size_name: str, *, data: str, patch: int = 16, crop: int = 224) -> ConfigDict:
    """The training of L or H with spatio-temporal attention (model 1) on a Kinetics data set.

    The embedding of patches of another size than the ViT's is randomly initialised.
    """
    pretrained = {"L": 16, "H": 14}[size_name]
    how: dict[str, Any] = {} if patch == pretrained else RANDOM_PATCHES
    return fine_tuning(
        data=data,
        model=vivit(
            "SpatioTemporalAttention", size_name, tubelet_size=(2, patch, patch), remat=True
        ),
        start=from_image(f"{size_name.lower()}{pretrained}", **how),
        peak=0.1,
        num_epochs=30,
        preprocessing={"crop": crop},
    )
