"""What recipes start from: public checkpoints by their names, or runs of other recipes.

`scenic-video weights list` shows the public checkpoints, and `weights pull NAME` fetches one.
"""

from typing import Any

IMAGENET21K = {
    "b16": "vit-b16-imagenet21k",
    "b32": "vit-b32-imagenet21k",
    "l16": "vit-l16-imagenet21k",
    "h14": "vit-h14-imagenet21k",
    "ti16": "vit-ti16-augreg-imagenet21k",
    "s16": "vit-s16-augreg-imagenet21k",
    "s32": "vit-s32-augreg-imagenet21k",
}
"""ViTs trained on ImageNet-21k: those of 2020, and of AugReg in the sizes that they lack."""

AUGREG = IMAGENET21K | {
    "b16": "vit-b16-augreg-imagenet21k",
    "b32": "vit-b32-augreg-imagenet21k",
    "l16": "vit-l16-augreg-imagenet21k",
}
"""ViTs trained on ImageNet-21k: those of AugReg, but H, which it lacks."""


def source(name: str) -> dict[str, Any]:
    """The field of `init` for the run "runs/..." of another recipe, or for a public checkpoint."""
    return {"workdir": name} if name.startswith("runs/") else {"path": name}
