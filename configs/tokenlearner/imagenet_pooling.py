"""Averaging neighbouring tokens instead of learning tokens: the baselines of table 5, on ImageNet.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), table 5; the recipe is that of ViT's
fine-tuning. The other two of the table are `vit_l16` and `l16_16_at_12` of imagenet_large.

    scenic-video train --config=configs/tokenlearner/imagenet_pooling.py:2x2_at_12_18 \
        --workdir=runs/tokenlearner/imagenet_pooling_2x2_at_12_18

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. The windows were chosen to match the printed GFLOPs: 4 then 2, and 8, although the paper
calls them 2x2 and 4x4.

    variant       GFLOPs         M params  EFLOP  JFT top1
    2x2_at_9_18   145.2 (144.3)  305.2     8.9    85.63
    2x2_at_12_18  188.1 (187.2)  305.2     12     86.41
    4x4_at_12     184.4          305.2     11     83.93
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

POOLING = {
    "2x2_at_9_18": {"pool_at": (9, 18), "pool_windows": (4, 2)},
    "2x2_at_12_18": {"pool_at": (12, 18), "pool_windows": (4, 2)},
    "4x4_at_12": {"pool_at": (12,), "pool_windows": (8,)},
}


def get_config(variant: str = "2x2_at_12_18") -> ConfigDict:
    pooling = choose(POOLING, variant)
    target = f"{common.MODELS}:PoolingViT"
    return common.image_fine_tuning("vit_l16", crop=512, target=target, **pooling)
