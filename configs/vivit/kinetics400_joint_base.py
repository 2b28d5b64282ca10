"""ViViT-B/16x2 with spatio-temporal attention (model 1) on Kinetics 400.

Arnab et al., ICCV 2021, table 2, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics400_joint_base.py \
        --workdir=runs/vivit/kinetics400_joint_base

Starts from the public ViT-B/16 trained on ImageNet-21k.

    GFLOPs  M params  EFLOP  top1  released top1
    455.2   89.0      20     80.0  79.9
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.vivit import common


def get_config() -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=common.vivit("SpatioTemporalAttention", "B"),
        start=common.from_image("b16"),
        peak=0.1,
        num_epochs=30,
    )
