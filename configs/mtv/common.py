"""What the MTV runs share: the models, their initial weights, and the recipe for Kinetics."""

import re
from typing import Any

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.starts import AUGREG, source

FUSIONS = "scenic_video.layers.view_fusion"
B, L, H = "B/2+S/4+Ti/8", "L/2+B/4+S/8+Ti/16", "H/2+B/4+S/8+Ti/16"
"""The views of MTV-B, MTV-L and MTV-H."""
LAYERS = {B: (5, 11), L: (11, 23), H: (15, 31)}
"""The layers in which their views exchange information."""


def mtv(views: str, layers: tuple[int, ...] | None = None, **fields: Any) -> dict[str, Any]:
    """The model node: `views` with cross-view attention in `layers`, by default those of
    `LAYERS`; without fusion if `layers` is empty."""
    node: dict[str, Any] = {"target": "projects.mtv.model:MTV", "views": views}
    node |= {"dtype": "bfloat16", "stochastic_depth_rate": 0.1}
    if layers := LAYERS[views] if layers is None else layers:
        node["fusion"] = {"target": f"{FUSIONS}:CrossViewAttention", "layers": layers}
    return node | ({"remat": True} if views in (L, H) else {}) | fields


def views_of(name: str) -> str:
    """The views of a variant: "B/2+Ti/8" for "b2_ti8"."""
    return re.sub(r"([a-z]+)(\d+)", lambda m: f"{m[1].capitalize()}/{m[2]}", name).replace("_", "+")


def from_images(*names: str, **how: Any) -> dict[str, Any]:
    """Starts from public ViTs trained on ImageNet-21k, one per view, from the coarsest ("ti16")."""
    target = "projects.mtv.pretrained:from_image_models"
    return {"target": target, "path": tuple(AUGREG[name] for name in names)} | how


def from_views(views: str) -> dict[str, Any]:
    """As `from_images`, for all `views`, given from the finest to the coarsest."""
    letters = [view.split("/")[0] for view in reversed(views.split("+"))]
    return from_images(*(letter.lower() + ("14" if letter == "H" else "16") for letter in letters))


def from_same(start: str) -> dict[str, Any]:
    """Starts from another MTV of the same views, of a run or a public checkpoint; clips may be
    longer or larger."""
    return {"target": "projects.mtv.pretrained:from_multiview_model"} | source(start)


def kinetics_training(
    data: str, *, views: str, crop: int = 224, peak: float = 0.1, stochastic_depth_rate: float = 0.1
) -> ConfigDict:
    """The training on a Kinetics data set, from ViTs trained on ImageNet-21k."""
    return fine_tuning(
        data=data,
        model=mtv(views, stochastic_depth_rate=stochastic_depth_rate),
        start=from_views(views),
        peak=peak,
        num_epochs=30,
        preprocessing={"crop": crop},
    )
