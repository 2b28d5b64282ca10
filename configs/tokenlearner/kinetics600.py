"""ViViT-L with TokenLearner on Kinetics 600.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), table 8; the recipe is that of ViViT.
A variant names the model size, the patch, the number of layers if it is not that of the size, and
the number of tokens and the layer where they are learned:

    scenic-video train --config=configs/tokenlearner/kinetics600.py:l16_30_8_at_18 \
        --workdir=runs/tokenlearner/kinetics600_l16_30_8_at_18

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. Patch embeddings of other sizes than these ViTs have, and additional layers, are randomly
initialised. Blocks are recomputed in the backward pass. `vit_l16` is ViViT itself.

    variant                GFLOPs       M params  EFLOP  JFT top1, top5
    vit_l16                1446         307.7     102    84.3, 96.2
    l16_16_at_12           765.9        307.9     54     84.4, 96.0
    l16_30_8_at_18         1105         383.4     78     86.0, 97.0
    l10_35_16_at_18        4067 (4076)  450.2     287    86.1, 97.0
    l10_35_16_at_18_fuser  4092 (4100)  453.1     289    86.3, 97.0
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

NAMES = ("vit_l16", "l16_16_at_12", "l16_30_8_at_18", "l10_35_16_at_18")
VARIANTS = {name: name for name in NAMES} | {"l10_35_16_at_18_fuser": "l10_35_16_at_18"}


def get_config(variant: str = "l16_30_8_at_18") -> ConfigDict:
    name = choose(VARIANTS, variant)
    fuser = {"token_fuser": True} if name != variant else {}
    return common.video_fine_tuning(name, data="kinetics600", **fuser)
