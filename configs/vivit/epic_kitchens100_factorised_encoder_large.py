"""ViViT-L/16x2 factorised encoder (model 2) on Epic-Kitchens-100, noun and verb.

Arnab et al., ICCV 2021, table 6d, and table 7 for the recipe.

    scenic-video train --config=configs/vivit/epic_kitchens100_factorised_encoder_large.py \
        --workdir=runs/vivit/epic_kitchens100_factorised_encoder_large

Starts from a Kinetics 400 run with 4 temporal layers, as in the text of the paper and the public
weights for this dataset, in runs/vivit/kinetics400_factorised_encoder_large_4_layers.

    GFLOPs  M params  EFLOP  action top1  verb top1  noun top1  released action top1
    990.9   354.9     20     44.0         66.4       56.8       43.6
"""

from ml_collections import ConfigDict

from configs.augmentations import randaugment
from configs.fine_tuning import fine_tuning
from configs.vivit import common


def get_config() -> ConfigDict:
    return fine_tuning(
        data="epic_kitchens",
        model=common.vivit(
            "FactorisedEncoder", "L", temporal_num_layers=4, stochastic_depth_rate=0.2
        ),
        start=common.from_same("runs/vivit/kinetics400_factorised_encoder_large_4_layers"),
        peak=0.5,
        num_epochs=50,
        preprocessing={"stride": 1},
        augmentation={"rgb": [randaugment(2, 15)], "mixing": {"mixup_alpha": 0.1}},
        task={"label_smoothing": 0.2},
        evaluation={"views": "4x1"},
    )
