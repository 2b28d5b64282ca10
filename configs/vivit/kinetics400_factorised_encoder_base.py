"""ViViT-B/16x2 factorised encoder (model 2) on Kinetics 400.

Arnab et al., ICCV 2021, table 2, and table 7 for the recipe; `released` is the recipe of the public
weights, with half the learning rate.

    scenic-video train --config=configs/vivit/kinetics400_factorised_encoder_base.py:printed \
        --workdir=runs/vivit/kinetics400_factorised_encoder_base_printed

Starts from the public ViT-B/16 trained on ImageNet-21k.

    variant   GFLOPs  M params  EFLOP  top1  released top1
    printed   284.4   115.1     12     78.8  -
    released  284.4   115.1     12     -     78.4
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

PEAKS = {"printed": 0.1, "released": 0.05}


def get_config(variant: str = "printed") -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=common.vivit("FactorisedEncoder", "B", temporal_num_layers=4),
        start=common.from_image("b16"),
        peak=choose(PEAKS, variant),
        num_epochs=30,
    )
