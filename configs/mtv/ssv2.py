"""MTV-B on Something-Something v2.

Yan et al., Multiview Transformers for Video Recognition, CVPR 2022, table 2c; the recipe is that of
the public config. The variant is the side of the crop:

    scenic-video train --config=configs/mtv/ssv2.py:base \
        --workdir=runs/mtv/ssv2_base

Starts from the public MTV-B on Kinetics 400; `base_320` from runs/mtv/kinetics400_base_320. Clips
are never flipped: "left" and "right" are in the labels.

    variant   GFLOPs  M params  EFLOP  top1  top5
    base      564.8   304.0     34     67.6  90.1
    base_320  1319    304.3     80     68.5  90.4
"""

from ml_collections import ConfigDict

from configs.augmentations import randaugment
from configs.fine_tuning import fine_tuning
from configs.mtv import common
from configs.variants import choose

VARIANTS = {
    "base": ("mtv-b-kinetics400", 224),
    "base_320": ("runs/mtv/kinetics400_base_320", 320),
}


def get_config(variant: str = "base") -> ConfigDict:
    start, crop = choose(VARIANTS, variant)
    return fine_tuning(
        data="something_something",
        model=common.mtv(common.B),
        start=common.from_same(start),
        peak=0.2,
        num_epochs=60,
        input={"batch_size": 256},
        preprocessing={"num_frames": 48, "stride": 1, "crop": crop},
        augmentation={"rgb": [randaugment(1, 15)], "mixing": {"mixup_alpha": 0.3}},
        task={"label_smoothing": 0.2},
    )
