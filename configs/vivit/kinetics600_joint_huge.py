"""ViViT-H with spatio-temporal attention (model 1) on Kinetics 600.

Arnab et al., ICCV 2021, table 6b, and table 7 for the recipe. The variant is the patch: 14 pixels
in the published paper, 16 in its first version (arXiv 2103.15691v1) and the talk.

    scenic-video train --config=configs/vivit/kinetics600_joint_huge.py:14 \
        --workdir=runs/vivit/kinetics600_joint_huge_14

NOT REPRODUCIBLE IN PUBLIC: the paper starts from ViT-H trained on JFT-300M, which was never
released. This config starts from the public ViT-H/14 trained on ImageNet-21k instead; expect lower
results. Blocks are recomputed in the backward pass. GFLOPs of H/16 are printed only by TokenLearner
(table 6), and no model of that name costs so much.

    variant  GFLOPs       M params  EFLOP  JFT top1  JFT top5
    14       3981         637.2     281    85.8      96.5
    16       2800 (8316)  636.4     198    85.8      96.5
"""

from ml_collections import ConfigDict

from configs.variants import choose
from configs.vivit import common

PATCHES = {"14": 14, "16": 16}


def get_config(patch: str = "14") -> ConfigDict:
    return common.joint_training("H", data="kinetics600", patch=choose(PATCHES, patch))
