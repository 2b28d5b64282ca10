"""The views of a multiview transformer: tables 1a and 1b of MTV, on Kinetics 400.

Yan et al., Multiview Transformers for Video Recognition, CVPR 2022. The variant is the views, from
the finest to the coarsest:

    scenic-video train --config=configs/mtv/kinetics400_views.py:b2_s4_ti8 \
        --workdir=runs/mtv/kinetics400_views_b2_s4_ti8

Every view starts from the public AugReg ViT of its size, trained on ImageNet-21k. They
exchange information in layer 5, by cross-view attention. The recipe is that of the public MTV-B.
Rows in which all views are B are those of "the same encoder for all views". The costs of rows with
cross-view attention are those of the public code. The architecture with the costs that the paper
prints, in brackets, was never published as code (see projects/mtv/README.md).

    variant     GFLOPs       M params     EFLOP  top1
    b8_ti2      108.0 (81)   212.6 (161)  4.7    77.3
    b2_ti8      327.8 (337)  208.9 (221)  14     81.3
    b8_s4_ti2   152.0 (202)  306.9 (250)  6.6    78.5
    b2_s4_ti8   372.9 (384)  303.2 (310)  16     81.8
    b4_s8_ti16  189.8 (195)  306.7 (314)  8.2    81.1
    b4_b8_b16   285.8 (324)  702.8 (759)  12     81.1
    b2_b8       402.0 (448)  406.0 (465)  17     81.5
    b2_b4_b8    560.1 (637)  694.6 (751)  24     81.7
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.mtv import common
from configs.variants import choose

VIEWS = {
    variant: common.views_of(variant)
    for variant in (
        "b8_ti2",
        "b2_ti8",
        "b8_s4_ti2",
        "b2_s4_ti8",
        "b4_s8_ti16",
        "b4_b8_b16",
        "b2_b8",
        "b2_b4_b8",
    )
}
UNSORTED = {
    "b8_ti2": ("b16", "ti16"),
    "b8_s4_ti2": ("b16", "s16", "ti16"),
}
"""What starts the views, from the coarsest, where the coarsest is not the smallest."""


def get_config(variant: str = "b2_s4_ti8") -> ConfigDict:
    views = choose(VIEWS, variant)
    sorted_ones = common.from_views(views)
    return fine_tuning(
        data="kinetics400",
        model=common.mtv(views, layers=(5,)),
        start=common.from_images(*UNSORTED[variant]) if variant in UNSORTED else sorted_ones,
        peak=0.1,
        num_epochs=30,
    )
