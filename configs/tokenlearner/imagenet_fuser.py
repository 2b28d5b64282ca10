"""TokenFuser, which maps learned tokens back to all patches: table 4, on ImageNet.

Ryoo et al., TokenLearner, NeurIPS 2021 (arXiv 2106.11297v2), table 4; the recipe is that of ViT's
fine-tuning. A variant names the model size, the patch, the number of layers if it is not that of
the size, the number of tokens and the layer where they are learned, and the fuser if there is one:

    scenic-video train --config=configs/tokenlearner/imagenet_fuser.py:b16_16_at_6_fuser \
        --workdir=runs/tokenlearner/imagenet_fuser_b16_16_at_6_fuser

NOT REPRODUCIBLE IN PUBLIC: the paper starts from models trained on JFT-300M, which was never
released. These configs start from public ViTs trained on ImageNet-21k instead; expect lower
results. Patch embeddings of other sizes than these ViTs have, and additional layers, are randomly
initialised. To evaluate on ReaL, see imagenet_state_of_the_art.

    variant                GFLOPs         M params  EFLOP  JFT top1, ReaL
    b16_8_at_6             28.4           86.9      1.7    83.2, 88.1
    b16_8_at_6_fuser       28.6 (28.5)    87.3      1.8    83.7, 88.4
    b16_16_at_6            28.7           87.0      1.8    83.2, 88.0
    b16_16_at_6_fuser      29.2 (29.1)    87.7      1.8    83.9, 88.7
    l16_16_at_12           184.6          305.3     11     87.6, 90.4
    l16_16_at_12_fuser     186.9 (187.1)  307.3     11     87.6, 90.5
    l16_8_at_18            273.2          305.2     17     87.9, 90.8
    l16_8_at_18_fuser      273.8          305.7     17     88.2, 90.9
    l10_35_16_at_18        848.5 (849.0)  445.0     52     88.5, 90.7
    l10_35_16_at_18_fuser  857.2 (856.9)  447.9     53     88.5, 90.9
"""

from ml_collections import ConfigDict

from configs.tokenlearner import common
from configs.variants import choose

SIDES = {
    "b16_8_at_6": 384,
    "b16_16_at_6": 384,
    "l16_16_at_12": 512,
    "l16_8_at_18": 512,
    "l10_35_16_at_18": 512,
}
VARIANTS = {name + fuser: name for name in SIDES for fuser in ("", "_fuser")}


def get_config(variant: str = "b16_16_at_6_fuser") -> ConfigDict:
    name = choose(VARIANTS, variant)
    return common.image_fine_tuning(name, crop=SIDES[name], token_fuser=name != variant)
