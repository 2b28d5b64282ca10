"""ViViT-L/16x2 with spatio-temporal attention (model 1) on Kinetics 600.

Arnab et al., the first version of the paper (arXiv 2103.15691v1) and the talk; table 7 of the
published one for the recipe. The variant is the side of the crop:

    scenic-video train --config=configs/vivit/kinetics600_joint_large.py:320 \
        --workdir=runs/vivit/kinetics600_joint_large_320

Starts from the public ViT-L/16 trained on ImageNet-21k. Blocks are recomputed in the backward pass.
NOT REPRODUCIBLE IN PUBLIC: the result with JFT-300M, which was never released. ImageNet-21k
replaces it here.

    variant  GFLOPs       M params  EFLOP  top1  top5  JFT top1  JFT top5
    224      1446         307.7     102    82.5  95.6  84.3      96.2
    320      3993 (3992)  311.1     282    83.0  95.7  -         -
"""

from ml_collections import ConfigDict

from configs.variants import choose
from configs.vivit import common

SIDES = {"224": 224, "320": 320}


def get_config(crop: str = "224") -> ConfigDict:
    return common.joint_training("L", data="kinetics600", crop=choose(SIDES, crop))
