"""ViViT-B/16x2 with factorised self-attention (model 3) on Kinetics 400.

Arnab et al., ICCV 2021, table 2, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics400_factorised_self_attention_base.py \
        --workdir=runs/vivit/kinetics400_factorised_self_attention_base

Starts from the public ViT-B/16 trained on ImageNet-21k. The output of attention over time is
initially zero.

    GFLOPs  M params  EFLOP  top1
    372.3   117.3     16     77.4
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.vivit import common


def get_config() -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=common.vivit("FactorisedSelfAttention", "B"),
        start=common.from_image("b16"),
        peak=0.1,
        num_epochs=30,
    )
