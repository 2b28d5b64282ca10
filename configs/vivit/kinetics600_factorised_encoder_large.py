"""ViViT-L/16x2 factorised encoder (model 2) on Kinetics 600.

Arnab et al., ICCV 2021, table 6b, and table 7 for the recipe; `released` is the recipe of the
public weights, with half the learning rate.

    scenic-video train --config=configs/vivit/kinetics600_factorised_encoder_large.py:printed \
        --workdir=runs/vivit/kinetics600_factorised_encoder_large_printed

Starts from the public ViT-L/16 trained on ImageNet-21k. The temporal transformer has 24 layers, as
in the public weights. NOT REPRODUCIBLE IN PUBLIC: the result with JFT-300M, which was never
released. ImageNet-21k replaces it here.

    variant   GFLOPs  M params  EFLOP  top1  top5  JFT top1  JFT top5  released top1
    printed   995.2   607.0     70     82.9  94.6  84.3      94.9      -
    released  995.2   607.0     70     -     -     -         -         81.6
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

PEAKS = {"printed": 0.1, "released": 0.05}


def get_config(variant: str = "printed") -> ConfigDict:
    return fine_tuning(
        data="kinetics600",
        model=common.vivit("FactorisedEncoder", "L", temporal_num_layers=24),
        start=common.from_image("l16"),
        peak=choose(PEAKS, variant),
        num_epochs=30,
    )
