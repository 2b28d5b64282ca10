"""ViViT-H/14x2 with spatio-temporal attention (model 1) on Kinetics 400.

Arnab et al., ICCV 2021, table 6a, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics400_joint_huge.py \
        --workdir=runs/vivit/kinetics400_joint_huge

NOT REPRODUCIBLE IN PUBLIC: the paper starts from ViT-H/14 trained on JFT-300M, which was never
released. This config starts from its substitute, ViT-H/14 trained on ImageNet-21k, in
runs/imagenet21k_vit_h14.
Cost: 3981 GFLOPs a view, 637.0 M parameters; training 172 EFLOP (240k clips, 30 epochs). Blocks
are recomputed in the backward pass.
Printed with JFT: 84.9 % top-1, 95.8 % top-5 with 4 x 3 views. Expect less.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config() -> ConfigDict:
    return common.recipe(
        data="kinetics400",
        model=common.vivit("SpatioTemporalAttention", "H", tubelet_size=(2, 14, 14), remat=True),
        start=common.from_image("runs/imagenet21k_vit_h14", grid=(16, 16, 16)),
        peak=0.1,
        num_epochs=30,
    )
