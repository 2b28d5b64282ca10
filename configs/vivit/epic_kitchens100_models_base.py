"""The five models of ViViT-B/16x2 on Epic-Kitchens-100, noun and verb.

Arnab et al., ICCV 2021, table 2, and table 7 for the recipe. The variant is the model:

    scenic-video train --config=configs/vivit/epic_kitchens100_models_base.py:factorised_encoder \
        --workdir=runs/vivit/epic_kitchens100_models_base_factorised_encoder

Starts from the same model on Kinetics 400: from its public weights (`joint` and
`factorised_encoder`), or from the run runs/vivit/kinetics400_models_base_<model>.

    variant                    GFLOPs  M params  EFLOP  action top1
    joint                      455.2   89.0      9.1    43.1
    factorised_encoder         284.4   115.1     5.7    43.7
    factorised_self_attention  372.3   117.3     7.5    39.1
    factorised_dot_product     277.1   89.0      5.6    39.5
    frame_average              283.9   86.7      5.7    38.8
"""

from ml_collections import ConfigDict

from configs.augmentations import randaugment
from configs.fine_tuning import fine_tuning
from configs.variants import choose
from configs.vivit import common

MODELS = {
    "joint": "SpatioTemporalAttention",
    "factorised_encoder": "FactorisedEncoder",
    "factorised_self_attention": "FactorisedSelfAttention",
    "factorised_dot_product": "FactorisedDotProduct",
    "frame_average": "FrameAverage",
}

PUBLIC = {"joint": "vivit-b-kinetics400", "factorised_encoder": "vivit-b-fe-kinetics400"}


def get_config(variant: str = "factorised_encoder") -> ConfigDict:
    architecture = choose(MODELS, variant)
    fields = {"temporal_num_layers": 4} if variant == "factorised_encoder" else {}
    return fine_tuning(
        data="epic_kitchens",
        model=common.vivit(architecture, "B", stochastic_depth_rate=0.2, **fields),
        start=common.from_same(
            PUBLIC.get(variant, f"runs/vivit/kinetics400_models_base_{variant}")
        ),
        peak=0.5,
        num_epochs=50,
        preprocessing={"stride": 1},
        augmentation={"rgb": [randaugment(2, 15)], "mixing": {"mixup_alpha": 0.1}},
        task={"label_smoothing": 0.2},
        evaluation={"views": "4x1"},
    )
