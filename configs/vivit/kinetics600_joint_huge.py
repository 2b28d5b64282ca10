"""ViViT-H/14x2 with spatio-temporal attention (model 1) on Kinetics 600.

Arnab et al., ICCV 2021, table 6b, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/kinetics600_joint_huge.py \
        --workdir=runs/vivit/kinetics600_joint_huge

NOT REPRODUCIBLE IN PUBLIC: the paper starts from ViT-H/14 trained on JFT-300M, which was never
released. This config starts from its substitute, ViT-H/14 trained on ImageNet-21k, in
runs/imagenet21k_vit_h14.
Cost: 3981 GFLOPs a view, 637.2 M parameters; training 281 EFLOP (392k clips, 30 epochs). Blocks
are recomputed in the backward pass.
Printed with JFT: 85.8 % top-1, 96.5 % top-5. Expect less.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config() -> ConfigDict:
    return common.recipe(
        data="kinetics600",
        model=common.vivit("SpatioTemporalAttention", "H", tubelet_size=(2, 14, 14), remat=True),
        start=common.from_image("runs/imagenet21k_vit_h14", grid=(16, 16, 16)),
        peak=0.1,
        num_epochs=30,
    )
