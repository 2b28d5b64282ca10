"""MBT-B on Epic-Kitchens-100, noun and verb.

Nagrani et al., Attention Bottlenecks for Multimodal Fusion, NeurIPS 2021; its config for this data
set is not public; this one is that for AudioSet, with a mixup of 0.3 as in the paper, and a stride
of one frame. The variant is the modalities:

    scenic-video train --config=configs/avmae/mbt_epic_kitchens100.py:audiovisual \
        --workdir=runs/avmae/mbt_epic_kitchens100_audiovisual

Starts from the public ViT-B/16 trained on ImageNet-21k.

    variant      GFLOPs  M params  EFLOP  action, verb, noun
    audio        37.3    85.9      0.75   13.0, 44.3, 22.4
    video        455.2   89.0      9.1    40.7, 62.0, 56.4
    audiovisual  493.0   174.5     9.9    43.4, 64.8, 58.0
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

STAGES = {stage: stage for stage in common.MODALITIES}


def get_config(variant: str = "audiovisual") -> ConfigDict:
    return common.mbt(choose(STAGES, variant), data="epic_kitchens", mixup_alpha=0.3, stride=1)
