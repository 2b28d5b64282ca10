"""Input encodings of 32 frames for ViViT-B (model 1), on Kinetics 400: the four rows of table 1.

Arnab et al., ICCV 2021, section 4.2, and table 7 for the recipe. The variant is the row:

    scenic-video train --config=configs/vivit/kinetics400_input_encoding_base.py:central_frame \
        --workdir=runs/vivit/kinetics400_input_encoding_base_central_frame

Starts from the public ViT-B/16 trained on ImageNet-21k. Clips have 8 x 14 x 14 tokens; `random`
initialises the tubelet kernel randomly.

    variant           GFLOPs  M params  EFLOP  top1
    central_frame     183.5   88.9      7.9    79.2
    uniform_frames    180.7   87.2      7.8    78.5
    filter_inflation  183.5   88.9      7.9    77.6
    random            183.5   88.9      7.9    73.2
"""

from typing import Any

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

STARTS: dict[str, dict[str, Any]] = {
    "central_frame": {"kernel": "central_frame"},
    "uniform_frames": {},
    "filter_inflation": {"kernel": "filter_inflation"},
    "random": common.RANDOM_PATCHES,
}


def get_config(variant: str = "central_frame") -> ConfigDict:
    start = common.from_image("b16", **choose(STARTS, variant))
    fields: dict[str, Any] = {"tubelet_size": (4, 16, 16)}
    if variant == "uniform_frames":
        fields = {"tubelet_size": (1, 16, 16), "uniform_frames": 8}
    return fine_tuning(
        data="kinetics400",
        model=common.vivit("SpatioTemporalAttention", "B", **fields),
        start=start,
        peak=0.1,
        num_epochs=30,
    )
