"""ViViT-L/16x2 factorised encoder (model 2) on Moments in Time.

Arnab et al., ICCV 2021, table 6c, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/moments_factorised_encoder_large.py \
        --workdir=runs/vivit/moments_factorised_encoder_large

Starts from ViT-L/16 trained on ImageNet-21k, in runs/imagenet21k_vit_l16.
The temporal transformer has 24 layers, as those of the public Kinetics weights; for this dataset
none are public.
Cost: 995 GFLOPs a view, 606.8 M parameters; training 47 EFLOP (791k clips, 10 epochs).
Expected: 38.5 % top-1, 64.1 % top-5.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config() -> ConfigDict:
    return common.recipe(
        data="moments_in_time",
        model=common.vivit("FactorisedEncoder", "L", temporal_num_layers=24),
        start=common.from_image("runs/imagenet21k_vit_l16"),
        peak=0.25,
        num_epochs=10,
    )
