"""Regularisation of a ViViT-B/16x2 factorised encoder on Epic-Kitchens-100, added step by step.

Arnab et al., ICCV 2021, table 4, and table 7 for the recipe. Each row adds one method to the row
above it:

    scenic-video train --config=configs/vivit/epic_kitchens100_regularisation_base.py:mixup \
        --workdir=runs/vivit/epic_kitchens100_regularisation_base_mixup

`augmentation` (random crops, flips, jittered colours) starts from the public ViT-B/16 trained on
ImageNet-21k; the others from the public weights of the same model on Kinetics 400.

    variant           GFLOPs  M params  EFLOP  action top1
    augmentation      284.4   115.1     5.7    38.4
    kinetics_start    284.4   115.1     5.7    39.6
    stochastic_depth  284.4   115.1     5.7    40.2
    randaugment       284.4   115.1     5.7    41.1
    label_smoothing   284.4   115.1     5.7    43.1
    mixup             284.4   115.1     5.7    43.7
"""

from ml_collections import ConfigDict

from configs.augmentations import COLOR_JITTER, randaugment
from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

LADDER = {
    rung: number
    for number, rung in enumerate(
        (
            "augmentation",
            "kinetics_start",
            "stochastic_depth",
            "randaugment",
            "label_smoothing",
            "mixup",
        )
    )
}


def get_config(variant: str = "mixup") -> ConfigDict:
    def has(rung: str) -> bool:
        return choose(LADDER, variant) >= LADDER[rung]

    kinetics = common.from_same("vivit-b-fe-kinetics400")
    image = common.from_image("b16")
    return fine_tuning(
        data="epic_kitchens",
        model=common.vivit(
            "FactorisedEncoder",
            "B",
            temporal_num_layers=4,
            stochastic_depth_rate=0.2 if has("stochastic_depth") else 0.0,
        ),
        start=kinetics if has("kinetics_start") else image,
        peak=0.5,
        num_epochs=50,
        preprocessing={"stride": 1},
        augmentation={
            "rgb": [randaugment(2, 15) if has("randaugment") else COLOR_JITTER],
            "mixing": {"mixup_alpha": 0.1 if has("mixup") else 0.0},
        },
        task={"label_smoothing": 0.2 if has("label_smoothing") else 0.0},
        evaluation={"views": "4x1"},
    )
