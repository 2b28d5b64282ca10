"""Three models of ViViT-B/16x2 on Kinetics 400; kinetics400_joint_base.py and
kinetics400_factorised_encoder_base.py are the other two.

Arnab et al., ICCV 2021, table 2, and table 7 for the recipe. The variant is the model:

    scenic-video train --config=configs/vivit/kinetics400_models_base.py:frame_average \
        --workdir=runs/vivit/kinetics400_models_base_frame_average

Starts from the public ViT-B/16 trained on ImageNet-21k. `frame_average` has no temporal model (the
"average pool baseline"). The output of attention over time is initially zero in
`factorised_self_attention`.

    variant                    GFLOPs  M params  EFLOP  top1
    factorised_self_attention  372.3   117.3     16     77.4
    factorised_dot_product     277.1   89.0      12     76.3
    frame_average              283.9   86.7      12     75.8
"""

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

MODELS = {
    "factorised_self_attention": "FactorisedSelfAttention",
    "factorised_dot_product": "FactorisedDotProduct",
    "frame_average": "FrameAverage",
}


def get_config(variant: str = "factorised_self_attention") -> ConfigDict:
    return fine_tuning(
        data="kinetics400",
        model=common.vivit(choose(MODELS, variant), "B"),
        start=common.from_image("b16"),
        peak=0.1,
        num_epochs=30,
    )
