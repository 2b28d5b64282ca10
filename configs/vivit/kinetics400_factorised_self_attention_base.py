"""ViViT-B/16x2 with factorised self-attention (model 3) on Kinetics 400.

Arnab et al., ICCV 2021, table 2 and, for the recipe, table 7.

    scenic-video train --config=configs/vivit/kinetics400_factorised_self_attention_base.py \
        --workdir=runs/vivit/kinetics400_factorised_self_attention_base

Starts from ViT-B/16 trained on ImageNet-21k, in runs/imagenet21k_vit_b16.
Attention over time starts at zero.
Cost: 372.3 GFLOPs a view, 117.3 M parameters; training 16 EFLOP (240k clips, 30 epochs).
Expected: 77.4 % top-1 with 4 x 3 views.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config() -> ConfigDict:
    return common.recipe(
        data="kinetics400",
        model=common.vivit("FactorisedSelfAttention", "B"),
        start=common.from_image("runs/imagenet21k_vit_b16"),
        peak=0.1,
        num_epochs=30,
    )
