"""How a ViViT-B (model 1) reads its 32 frames, on Kinetics 400: the four rows of table 1.

Arnab et al., ICCV 2021, section 4.2; the recipe is that of table 7. The row is the variant:

    scenic-video train --config=configs/vivit/kinetics400_input_encoding_base.py:central_frame \
        --workdir=runs/vivit/kinetics400_input_encoding_base_central_frame

Starts from ViT-B/16 trained on ImageNet-21k, in runs/imagenet21k_vit_b16.
Cost: 8 x 14 x 14 tokens a view; training about 8 EFLOP (240k clips, 30 epochs).
Expected top-1: central_frame 79.2 %, uniform_frames 78.5 %, filter_inflation 77.6 %,
random 73.2 % (the tubelet kernel, drawn at random).
"""

from typing import Any

from ml_collections import ConfigDict

from configs.vivit import common


def get_config(variant: str = "central_frame") -> ConfigDict:
    if variant not in ("central_frame", "filter_inflation", "random", "uniform_frames"):
        raise ValueError(f"There is no variant {variant!r}; see the docstring of this config.")
    fields: dict[str, Any] = {"tubelet_size": (4, 16, 16)}
    how: dict[str, Any] = {"grid": (8, 14, 14)}
    if variant == "uniform_frames":
        fields = {"tubelet_size": (1, 16, 16), "uniform_frames": 8}
    elif variant == "random":
        how |= {"allow_fresh": ("embedding/.*",), "allow_unused": ("embedding/.*",)}
    else:
        how |= {"kernel": variant}
    return common.recipe(
        data="kinetics400",
        model=common.vivit("SpatioTemporalAttention", "B", **fields),
        start=common.from_image("runs/imagenet21k_vit_b16", **how),
        peak=0.1,
        num_epochs=30,
    )
