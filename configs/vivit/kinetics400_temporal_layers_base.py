"""The depth of the temporal transformer of a ViViT-B/16x2 factorised encoder: table 3.

Arnab et al., ICCV 2021, table 3, and table 7 for the recipe. On Kinetics 400. The variant is the
number of its layers; with 0, frames are averaged.

    scenic-video train --config=configs/vivit/kinetics400_temporal_layers_base.py:4 \
        --workdir=runs/vivit/kinetics400_temporal_layers_base_4

Starts from the public ViT-B/16 trained on ImageNet-21k.

    variant  GFLOPs  M params  EFLOP  top1
    0        283.9   86.7      12     75.8
    1        284.0   93.8      12     78.6
    4        284.4   115.1     12     78.8
    8        284.9   143.4     12     78.8
    12       285.3   171.8     12     78.9
"""

from typing import Any

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

MODELS: dict[str, dict[str, Any]] = {"0": common.vivit("FrameAverage", "B")} | {
    str(layers): common.vivit("FactorisedEncoder", "B", temporal_num_layers=layers)
    for layers in (1, 4, 8, 12)
}


def get_config(variant: str = "4") -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=choose(MODELS, variant),
        start=common.from_image("b16"),
        peak=0.1,
        num_epochs=30,
    )
