"""ViViT-L/16x2 with spatio-temporal attention (model 1) on Kinetics 400.

Arnab et al., ICCV 2021, table 5, and table 7 for the recipe. The variant is the side of the crop:

    scenic-video train --config=configs/vivit/kinetics400_joint_large.py:320 \
        --workdir=runs/vivit/kinetics400_joint_large_320

Starts from the public ViT-L/16 trained on ImageNet-21k. Blocks are recomputed in the backward pass.
The first version of the paper (arXiv 2103.15691v1) and the talk print 80.6 and 81.3 % top-1, 94.7 %
top-5, for 224 and 320. NOT REPRODUCIBLE IN PUBLIC: the results with JFT-300M, which was never
released; in that version, the models start from ViT-L/16 trained on it. ImageNet-21k replaces it
here.

    variant  GFLOPs       M params  EFLOP  top1  JFT top1  JFT top5
    224      1446         307.5     62     80.3  82.8      95.5
    288      2920         309.6     126    80.7  -         -
    320      3993 (3992)  310.9     172    81.0  83.5      95.5
"""

from ml_collections import ConfigDict

from configs.variants import choose
from configs.vivit import common

SIDES = {"224": 224, "288": 288, "320": 320}


def get_config(crop: str = "224") -> ConfigDict:
    return common.joint_training("L", data="kinetics400", crop=choose(SIDES, crop))
