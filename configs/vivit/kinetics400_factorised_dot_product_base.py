"""ViViT-B/16x2 with factorised dot-product attention (model 4) on Kinetics 400.

Arnab et al., ICCV 2021, table 2, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics400_factorised_dot_product_base.py \
        --workdir=runs/vivit/kinetics400_factorised_dot_product_base

Starts from the public ViT-B/16 trained on ImageNet-21k.

    GFLOPs  M params  EFLOP  top1
    277.1   89.0      12     76.3
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.vivit import common


def get_config() -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=common.vivit("FactorisedDotProduct", "B"),
        start=common.from_image("b16"),
        peak=0.1,
        num_epochs=30,
    )
