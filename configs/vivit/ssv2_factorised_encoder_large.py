"""ViViT-L/16x2 factorised encoder (model 2) on Something-Something v2.

Arnab et al., ICCV 2021, table 6e, and table 7 for the recipe; `released` is the recipe of the
public weights, with crops of 256 from 288 pixels and a peak rate of 0.4.

    scenic-video train --config=configs/vivit/ssv2_factorised_encoder_large.py:printed \
        --workdir=runs/vivit/ssv2_factorised_encoder_large_printed

Starts from a Kinetics 400 run with 4 temporal layers, in
runs/vivit/kinetics400_factorised_encoder_large_4_layers. Clips are never flipped: "left" and
"right" are in the labels. The first version of the paper (arXiv 2103.15691v1) and the talk print
65.4 % top-1 and 89.8 % top-5.

    variant   GFLOPs  M params  EFLOP  top1  top5
    printed   990.9   354.7     35     65.9  89.9
    released  1305    354.7     46     -     -
"""

from typing import Any

from ml_collections import ConfigDict

from configs.augmentations import randaugment
from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

VARIANTS: dict[str, dict[str, Any]] = {
    "printed": {"peak": 0.5, "crop": 224, "resize": 256},
    "released": {"peak": 0.4, "crop": 256, "resize": 288},
}


def get_config(variant: str = "printed") -> ConfigDict:
    fields = choose(VARIANTS, variant)
    start = {
        "target": "projects.vivit.pretrained:from_video_model",
        "workdir": "runs/vivit/kinetics400_factorised_encoder_large_4_layers",
    }
    return fine_tuning(
        data="something_something",
        model=common.vivit(
            "FactorisedEncoder", "L", temporal_num_layers=4, stochastic_depth_rate=0.3
        ),
        start=start,
        peak=fields["peak"],
        num_epochs=35,
        preprocessing={"stride": 1, "crop": fields["crop"], "resize": fields["resize"]},
        augmentation={"rgb": [randaugment(2, 20)], "mixing": {"mixup_alpha": 0.3}},
        task={"label_smoothing": 0.3},
    )
