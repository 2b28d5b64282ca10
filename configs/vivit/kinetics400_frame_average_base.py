"""ViViT-B/16x2 without a temporal model (frames are averaged), on Kinetics 400.

Arnab et al., ICCV 2021, table 2 ("average pool baseline"), and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics400_frame_average_base.py \
        --workdir=runs/vivit/kinetics400_frame_average_base

Starts from the public ViT-B/16 trained on ImageNet-21k.

    GFLOPs  M params  EFLOP  top1
    283.9   86.7      12     75.8
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.vivit import common


def get_config() -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=common.vivit("FrameAverage", "B"),
        start=common.from_image("b16"),
        peak=0.1,
        num_epochs=30,
    )
