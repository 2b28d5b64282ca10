"""Baselines of MTV: each pathway of a SlowFast transformer alone, on Kinetics 400.

Yan et al., Multiview Transformers for Video Recognition, CVPR 2022, table 1d. Joint attention over
4 frames by a ViT-B (`slow`), or over 16 by a ViT-Ti (`fast`); frames are cut into patches one by
one.

    scenic-video train --config=configs/mtv/kinetics400_slowfast.py:slow \
        --workdir=runs/mtv/kinetics400_slowfast_slow

Starts from the public ViT-B/16 or ViT-Ti/16 of AugReg, trained on ImageNet-21k. The paper does not
count element-wise operations here. The model of both pathways (202 GFLOPs, 105 M params, 79.7 %
top-1) is not in this repository; B/4+Ti/16 is in kinetics400_depth.

    variant  GFLOPs  M params  EFLOP  top1
    slow     78.9    86.6      3.4    78.0
    fast     63.4    6.17      2.7    74.6
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.starts import AUGREG
from configs.variants import choose
from scenic_video.layers.sizes import size

PATHWAYS = {"slow": ("B", 4), "fast": ("Ti", 16)}


def get_config(variant: str = "slow") -> ConfigDict:
    letter, num_frames = choose(PATHWAYS, variant)
    model = {"target": "projects.vivit.model:SpatioTemporalAttention", "dtype": "bfloat16"}
    frames = {"tubelet_size": (1, 16, 16), "uniform_frames": num_frames}
    start = {
        "target": "projects.vivit.pretrained:from_image_model",
        "path": AUGREG[f"{letter.lower()}16"],
    }
    return fine_tuning(
        data="kinetics400",
        model=model | size(letter) | frames | {"stochastic_depth_rate": 0.1},
        start=start,
        peak=0.1,
        num_epochs=30,
    )
