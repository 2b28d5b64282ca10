"""ViViT-B/16x2 without a temporal model, frames averaged, on Kinetics 400.

Arnab et al., ICCV 2021, table 2 ("average pool baseline"); the recipe is that of table 7.

    scenic-video train --config=configs/vivit/kinetics400_frame_average_base.py \
        --workdir=runs/vivit/kinetics400_frame_average_base

Starts from ViT-B/16 trained on ImageNet-21k, in runs/imagenet21k_vit_b16.
Cost: 283.9 GFLOPs a view, 86.7 M parameters; training 12 EFLOP (240k clips, 30 epochs).
Expected: 75.8 % top-1 with 4 x 3 views.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config() -> ConfigDict:
    return common.recipe(
        data="kinetics400",
        model=common.vivit("FrameAverage", "B"),
        start=common.from_image("runs/imagenet21k_vit_b16"),
        peak=0.1,
        num_epochs=30,
    )
