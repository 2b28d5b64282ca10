"""ViViT-L/16x2 on Moments in Time.

Arnab et al., ICCV 2021, table 6c, and table 7 for the recipe: `factorised_encoder` (model 2) in the
published paper; `joint` attention (model 1) in its first version (arXiv 2103.15691v1) and the talk.

    scenic-video train --config=configs/vivit/moments_large.py:factorised_encoder \
        --workdir=runs/vivit/moments_large_factorised_encoder

Starts from the public ViT-L/16 trained on ImageNet-21k. The temporal transformer has 24 layers, as
in the public weights for Kinetics; there are no public weights for this dataset.

    variant             GFLOPs  M params  EFLOP  top1  top5
    factorised_encoder  995.2   606.8     47     38.5  64.1
    joint               1446    307.4     69     38.0  64.9
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

MODELS = {
    "factorised_encoder": common.vivit("FactorisedEncoder", "L", temporal_num_layers=24),
    "joint": common.vivit("SpatioTemporalAttention", "L", remat=True),
}


def get_config(variant: str = "factorised_encoder") -> ConfigDict:
    return fine_tuning(
        data="moments_in_time",
        model=choose(MODELS, variant),
        start=common.from_image("l16"),
        peak=0.25,
        num_epochs=10,
    )
