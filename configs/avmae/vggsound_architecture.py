"""Encoder and decoder architectures of AV-MAE: ablation on VGGSound.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023, the table of architectures. A row is
pretrained, and then fine-tuned on audio, on video, or on both:

    scenic-video train --config=configs/avmae/vggsound_architecture.py:mid_shared \
        --workdir=runs/avmae/vggsound_architecture_mid_shared
    scenic-video train --config=configs/avmae/vggsound_architecture.py:mid_shared_audiovisual \
        --workdir=runs/avmae/vggsound_architecture_mid_shared_audiovisual

The variant is encoder_decoder: one transformer for both modalities (early), for both only in the
last layers (mid), one for each (separate), or the same one applied to each (shared). The ablations
use B. The paper's main text does not give their number of epochs; the 400 here are those of the
public VGGSound config, as is the rest of the recipe.

    variant                      GFLOPs  M params  EFLOP  top1
    early_shared                 58.0    94.8      26     -
    early_shared_audio           37.2    85.5      2.1    55.5
    early_shared_video           455.0   86.5      25     46.5
    early_shared_audiovisual     492.6   171.7     27     62.2
    early_separate               58.0    101.9     26     -
    early_separate_audio         37.2    85.5      2.1    55.7
    early_separate_video         455.0   86.5      25     43.6
    early_separate_audiovisual   492.6   171.7     27     61.1
    separate_shared              56.8    179.9     25     -
    separate_shared_audio        37.2    85.5      2.1    55.4
    separate_shared_video        455.0   86.5      25     48.9
    separate_shared_audiovisual  492.6   171.7     27     63.0
    shared_separate              56.8    101.9     25     -
    shared_separate_audio        37.2    85.5      2.1    55.4
    shared_separate_video        455.0   86.5      25     45.9
    shared_separate_audiovisual  492.6   171.7     27     61.3
    mid_shared                   57.0    165.7     25     -
    mid_shared_audio             37.2    85.5      2.1    55.8
    mid_shared_video             455.0   86.5      25     48.5
    mid_shared_audiovisual       492.6   171.7     27     63.5
    mid_early                    60.9    165.7     27     -
    mid_early_audio              37.2    85.5      2.1    55.5
    mid_early_video              455.0   86.5      25     48.5
    mid_early_audiovisual        492.6   171.7     27     63.3
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

ROWS = (
    "early_shared",
    "early_separate",
    "separate_shared",
    "shared_separate",
    "mid_shared",
    "mid_early",
)
VARIANTS = common.ablation_variants(ROWS)


def get_config(variant: str = "mid_shared") -> ConfigDict:
    row, stage = choose(VARIANTS, variant)
    if stage:
        return common.ablation_transfer(stage, f"runs/avmae/vggsound_architecture_{row}")
    encoder, decoder = row.split("_")
    return common.ablation_pretraining(encoder=encoder, decoder=decoder)
