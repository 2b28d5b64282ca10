"""TokenLearner S and B on ImageNet, fine-tuned at 384 pixels.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), table 1; the recipe is that of ViT's
fine-tuning. A variant names the model size, the patch, the number of layers if it is not that of
the size, and the number of tokens and the layer where they are learned:

    scenic-video train --config=configs/tokenlearner/imagenet_base.py:b16_16_at_6 \
        --workdir=runs/tokenlearner/imagenet_base_b16_16_at_6

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. Patch embeddings of other sizes than these ViTs have, and additional layers, are randomly
initialised. The printed 19.8 GFLOPs of ViT-B/32 do not fit 384 pixels; those of the other rows do.

    variant          GFLOPs       M params  EFLOP  JFT top1
    vit_s32          3.44         22.9      0.21   77.87
    vit_b32          13.0 (19.8)  88.3      0.80   80.69
    vit_b16          55.6         86.9      3.4    84.73
    s32_8_at_6       1.90         22.9      0.12   76.13
    b16_16_at_6      28.7         87.0      1.8    83.65
    s32_22_8_at_11   3.33         40.7      0.20   79.42
    b32_20_8_at_10   11.5         145.1     0.71   82.74
    b16_21_8_at_10   47.1         150.7     2.9    85.21
    b16_21_16_at_10  47.7         150.8     2.9    85.45
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

NAMES = (
    "vit_s32",
    "vit_b32",
    "vit_b16",
    "s32_8_at_6",
    "b16_16_at_6",
    "s32_22_8_at_11",
    "b32_20_8_at_10",
    "b16_21_8_at_10",
    "b16_21_16_at_10",
)
VARIANTS = {name: name for name in NAMES}


def get_config(variant: str = "b16_16_at_6") -> ConfigDict:
    return common.image_fine_tuning(choose(VARIANTS, variant), crop=384)
