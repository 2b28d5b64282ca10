"""The largest TokenLearners on ImageNet and ReaL.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), table 3; the recipe is that of ViT's
fine-tuning. A variant names the model size, the patch, the number of layers if it is not that of
the size, and the number of tokens and the layer where they are learned:

    scenic-video train --config=configs/tokenlearner/imagenet_state_of_the_art.py:l8_35_16_at_18 \
        --workdir=runs/tokenlearner/imagenet_state_of_the_art_l8_35_16_at_18

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. Patch embeddings of other sizes than these ViTs have, and additional layers, are randomly
initialised. The printed parameters are those of pretraining, at 224 pixels with 18,291 classes.
ReaL is ImageNet's validation set with reassessed labels; evaluate on it with

    scenic-video eval --workdir=runs/tokenlearner/imagenet_state_of_the_art_l8_35_16_at_18 \
        --data=data/imagenet_real.json --split=validation

where data/imagenet_real.json names the reader: {"target":
"scenic_video.data.published.imagenet_real:imagenet_real", "labels": "data/imagenet/real.json",
"root": "data/imagenet/val", "classes": "data/imagenet/train"}.

    variant          GFLOPs  M params     EFLOP  JFT top1, ReaL
    l10_35_16_at_18  848.5   445.0 (460)  52     88.5, 90.75
    l8_35_16_at_18   1563    446.4 (460)  96     88.87, 91.05
    vit_h14          1019    633.5 (654)  63     88.55, 90.72
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

SIDES = {
    "l10_35_16_at_18": 512,
    "l8_35_16_at_18": 512,
    "vit_h14": 518,
}


def get_config(variant: str = "l8_35_16_at_18") -> ConfigDict:
    return common.image_fine_tuning(variant, crop=choose(SIDES, variant))
