"""Starts of a ViViT from an image model, compared on synthetic actions with few labels: table 1 of
the paper in small.

    scenic-video train --config=configs/vivit/synthetic.py:images \
        --workdir=runs/vivit/synthetic_images
    scenic-video weights convert runs/vivit/synthetic_images --to npz \
        runs/vivit/synthetic_images.npz
    scenic-video train --config=configs/vivit/synthetic.py:central_frame \
        --workdir=runs/vivit/synthetic_central_frame

`images` pre-trains a ViT on single frames, whose labels are the place of the object, its size and
its brightness, and say nothing about the action. The other variants train the model of
configs/quickstart.py on 100 of the 1,000 clips, with the same steps.

    variant           GFLOPs  M params  EFLOP  ours top1
    images            0.0026  0.152     -      64.2
    central_frame     0.0204  0.366     -      56.3
    filter_inflation  0.0204  0.366     -      65.3
    random_tubelets   0.0204  0.366     -      44.0
    from_scratch      0.0204  0.366     -      50.8

On 200 test clips (4,200 frames of `images`: place, size and brightness are all right), means of
three seeds for clips. See projects/vivit/README.md.
"""

from typing import Any

from ml_collections import ConfigDict

from configs.synthetic import training
from configs.variants import choose

SIZE = dict(hidden_size=64, mlp_dim=128, num_layers=3, num_heads=4)
IMAGE_MODEL = dict(
    target="projects.vivit.pretrained:from_image_model", path="runs/vivit/synthetic_images.npz"
)
KERNEL = ("embedding/kernel",)
STARTS: dict[str, dict[str, Any]] = {
    "central_frame": IMAGE_MODEL | dict(kernel="central_frame"),
    "filter_inflation": IMAGE_MODEL | dict(kernel="filter_inflation"),
    "random_tubelets": IMAGE_MODEL | dict(allow_random=KERNEL, allow_unused=KERNEL),
    "from_scratch": {},
}


def get_config(variant: str = "central_frame") -> ConfigDict:
    start = choose({"images": {}} | STARTS, variant)
    return _images() if variant == "images" else _clips(start)


def _images() -> ConfigDict:
    return training(
        model=dict(target="projects.vivit.model:ViT", patch_size=(16, 16), **SIZE),
        crop=64,
        num_steps=1200,
        preprocessing={"num_frames": 1},
        input={"batch_size": 64},
        dataset={"heads": ("place", "size", "brightness")},
    )


def _clips(start: dict[str, Any]) -> ConfigDict:
    return training(
        model=dict(
            target="projects.vivit.model:FactorisedEncoder",
            temporal_num_layers=2,
            tubelet_size=(4, 16, 16),
            **SIZE,
        ),
        init=start,
        crop=64,
        num_steps=150,
        input={"num_examples": 100},
    )
