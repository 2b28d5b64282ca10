"""ViViT-L with TokenLearner on Kinetics 400.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), tables 6 and 7; the recipe is that of
ViViT. A variant names the model size, the patch, the number of layers if it is not that of the
size, and the number of tokens and the layer where they are learned:

    scenic-video train --config=configs/tokenlearner/kinetics400.py:l16_30_8_at_18 \
        --workdir=runs/tokenlearner/kinetics400_l16_30_8_at_18

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. Patch embeddings of other sizes than these ViTs have, and additional layers, are randomly
initialised. Blocks are recomputed in the backward pass. `vit_l16` is ViViT itself, as the authors
of TokenLearner ran it. By their GFLOPs, the paper's model with 8 tokens at layer 18 has 24+6
layers, and L/14 and L/10 have 24+11.

    variant          GFLOPs       M params  EFLOP  JFT top1, top5  JFT 6-view top1
    vit_l16          1446         307.5     62     83.4, 95.6      -
    l16_16_at_12     765.9        307.7     33     83.5, 95.6      82.1
    l16_30_8_at_18   1105         383.2     48     84.5, 96.1      83.2
    l14_35_16_at_18  1621         446.8     70     84.7, 96.1      -
    l10_35_16_at_18  4067 (4076)  450.0     176    85.4, 96.3      -
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

NAMES = ("vit_l16", "l16_16_at_12", "l16_30_8_at_18", "l14_35_16_at_18", "l10_35_16_at_18")
VARIANTS = {name: name for name in NAMES}


def get_config(variant: str = "l16_30_8_at_18") -> ConfigDict:
    return common.video_fine_tuning(choose(VARIANTS, variant), data="kinetics400")
