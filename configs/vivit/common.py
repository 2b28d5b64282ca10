"""What the ViViT runs share: the model nodes, and where they start."""

from typing import Any

from scenic_video.layers.sizes import size


def vivit(architecture: str, size_name: str, **fields: Any) -> dict[str, Any]:
    """The model node of a class of projects.vivit.model, in tubelets of 16 x 16 x 2."""
    fields = {"tubelet_size": (2, 16, 16), "dtype": "bfloat16"} | fields
    return {"target": f"projects.vivit.model:{architecture}"} | size(size_name) | fields


def from_image(workdir: str, grid: tuple[int, ...] = (16, 14, 14), **how: Any) -> dict[str, Any]:
    """Starts from the ViT of `workdir`; `grid` is how many tokens a clip has (t, h, w)."""
    target = "projects.vivit.pretrained:from_image_model"
    return {"target": target, "workdir": workdir, "grid": grid} | how


def from_same(workdir: str) -> dict[str, Any]:
    """Starts from a run of the same model on other classes: all but the head."""
    head = ("output_projection/.*",)
    return {"workdir": workdir, "allow_fresh": head, "allow_unused": head}
