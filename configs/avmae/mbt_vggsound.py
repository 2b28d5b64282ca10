"""MBT-B on VGGSound.

Nagrani et al., Attention Bottlenecks for Multimodal Fusion, NeurIPS 2021; its config for this data
set is not public; this one is that for AudioSet, with a mixup of 0.3 as in the paper. The runs in
the paper use 8 frames and audio masks 192 columns wide. The variant is the modalities:

    scenic-video train --config=configs/avmae/mbt_vggsound.py:audiovisual \
        --workdir=runs/avmae/mbt_vggsound_audiovisual

Starts from the public ViT-B/16 trained on ImageNet-21k.

    variant      GFLOPs  M params  EFLOP  top1
    audio        37.3    85.8      2.1    52.3
    video        455.2   88.9      25     51.2
    audiovisual  493.0   174.4     27     64.1
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

STAGES = {stage: stage for stage in common.MODALITIES}


def get_config(variant: str = "audiovisual") -> ConfigDict:
    return common.mbt(choose(STAGES, variant), data="vggsound", mixup_alpha=0.3)
