"""ViViT-L/16x2 with spatio-temporal attention (model 1) on Kinetics 400.

Arnab et al., ICCV 2021, table 5, and table 7 for the recipe. The side of the crop, 224, 288 or
320, is the variant:

    scenic-video train --config=configs/vivit/kinetics400_joint_large.py:320 \
        --workdir=runs/vivit/kinetics400_joint_large_320

Starts from ViT-L/16 trained on ImageNet-21k, in runs/imagenet21k_vit_l16.
Cost: 1446, 2919 or 3992 GFLOPs a view, 307.5 M parameters; training 62, 126 or 172 EFLOP
(240k clips, 30 epochs). Blocks are recomputed in the backward pass.
Expected: 80.3, 80.7 or 81.0 % top-1.
"""

from ml_collections import ConfigDict

from configs.vivit import common


def get_config(crop: str = "224") -> ConfigDict:
    if crop not in ("224", "288", "320"):
        raise ValueError(f"Table 5 has crops of 224, 288 and 320; got {crop!r}.")
    side = int(crop)
    return common.recipe(
        data="kinetics400",
        model=common.vivit("SpatioTemporalAttention", "L", remat=True),
        start=common.from_image("runs/imagenet21k_vit_l16", grid=(16, side // 16, side // 16)),
        peak=0.1,
        num_epochs=30,
        resize=side * 8 // 7,
        crop=side,
    )
