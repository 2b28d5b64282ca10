"""ViViT-L/16x2 factorised encoder (model 2) on Kinetics 600.

Arnab et al., ICCV 2021, table 6b, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics600_factorised_encoder_large.py \
        --workdir=runs/vivit/kinetics600_factorised_encoder_large

Starts from ViT-L/16 trained on ImageNet-21k, in runs/imagenet21k_vit_l16.
The temporal transformer has 24 layers, as the public weights have.
Cost: 995 GFLOPs a view, 607.0 M parameters; training 70 EFLOP (392k clips, 30 epochs).
Expected: 82.9 % top-1, 94.6 % top-5. The public weights give 81.6 % with 4 x 3 views; those were
trained with half the rate: --config.learning_rate.peak=0.05.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config() -> ConfigDict:
    return common.recipe(
        data="kinetics600",
        model=common.vivit("FactorisedEncoder", "L", temporal_num_layers=24),
        start=common.from_image("runs/imagenet21k_vit_l16"),
        peak=0.1,
        num_epochs=30,
    )
