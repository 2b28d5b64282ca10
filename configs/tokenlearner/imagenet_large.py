"""TokenLearner L on ImageNet, fine-tuned at 512 pixels.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), tables 2 and 5; the recipe is that of
ViT's fine-tuning. A variant names the model size, the patch, the number of layers if it is not that
of the size, and the number of tokens and the layer where they are learned:

    scenic-video train --config=configs/tokenlearner/imagenet_large.py:l16_16_at_12 \
        --workdir=runs/tokenlearner/imagenet_large_l16_16_at_12

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. Patch embeddings of other sizes than these ViTs have, and additional layers, are randomly
initialised. Table 2 and the talk print 178.1 GFLOPs for l16_16_at_12; tables 4 and 5 print 184.6.

    variant          GFLOPs         M params  EFLOP  JFT top1
    vit_l16          363.1          305.2     22     87.35
    l16_16_at_12     184.6          305.3     11     87.68
    l16_35_16_at_12  186.8          443.9     11     87.47
    l14_35_16_at_18  361.5 (361.6)  444.0     22     88.37
    l16_30_8_at_18   273.8 (274.2)  380.8     17     88.11
    l16_8_at_18      273.2          305.2     17     87.9
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

SIDES = {
    "vit_l16": 512,
    "l16_16_at_12": 512,
    "l16_35_16_at_12": 512,
    "l14_35_16_at_18": 504,
    "l16_30_8_at_18": 512,
    "l16_8_at_18": 512,
}


def get_config(variant: str = "l16_16_at_12") -> ConfigDict:
    return common.image_fine_tuning(variant, crop=choose(SIDES, variant))
