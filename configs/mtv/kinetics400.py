"""MTV-B, MTV-L and MTV-H on Kinetics 400.

Yan et al., Multiview Transformers for Video Recognition, CVPR 2022, table 2a; the recipe is that of
the public configs. The variant is the model and the side of its crop:

    scenic-video train --config=configs/mtv/kinetics400.py:base \
        --workdir=runs/mtv/kinetics400_base

Every view starts from the public AugReg ViT of its size, trained on ImageNet-21k. MTV-L and
MTV-H recompute blocks in the backward pass. NOT REPRODUCIBLE IN PUBLIC: results with JFT-300M and
WTS (60 M captioned web videos), which were never released. ImageNet-21k replaces them here; expect
lower results. The public weights of MTV-B give 81.8 %. The costs of rows with cross-view attention
are those of the public code. The architecture with the costs that the paper prints, in brackets,
was never published as code (see projects/mtv/README.md).

    variant   GFLOPs         M params  EFLOP  top1, top5  JFT top1, top5  WTS top1, top5
    base      376.6 (399.2)  304.3     16     81.8, 95.0  -               -
    base_320  879.7 (930.0)  304.5     38     82.4, 95.2  -               -
    large     1426 (1504)    875.9     62     -           84.3, 96.3      -
    huge      3528 (3706)    1284      152    -           85.8, 96.6      89.1, 98.2
    huge_280  6123 (6131)    1285      265    -           -               89.9, 98.3
"""

from typing import Any

from ml_collections import ConfigDict

from configs.mtv import common
from configs.variants import choose

VARIANTS: dict[str, dict[str, Any]] = {
    "base": {"views": common.B},
    "base_320": {"views": common.B, "crop": 320},
    "large": {"views": common.L},
    "huge": {"views": common.H},
    "huge_280": {"views": common.H, "crop": 280},
}


def get_config(variant: str = "base") -> ConfigDict:
    return common.kinetics_training("kinetics400", **choose(VARIANTS, variant))
