"""Pretraining on one modality or on both: ablation on VGGSound.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023, the table of unimodal and multimodal
pretraining. A row is pretrained, and then fine-tuned on audio, on video, or on both:

    scenic-video train --config=configs/avmae/vggsound_unimodal.py:video_mae \
        --workdir=runs/avmae/vggsound_unimodal_video_mae
    scenic-video train --config=configs/avmae/vggsound_unimodal.py:video_mae_audiovisual \
        --workdir=runs/avmae/vggsound_unimodal_video_mae_audiovisual

The third row of the table, AV-MAE, is `mid_shared` of vggsound_architecture (55.8, 48.5, 63.5).
Parameters of a modality that was not pretrained are randomly initialised. The ablations use B. The
paper's main text does not give their number of epochs; the 400 here are those of the public
VGGSound config, as is the rest of the recipe.

    variant                GFLOPs  M params  EFLOP  top1
    audio_mae              21.3    92.7      9.4    -
    audio_mae_audio        37.2    85.5      2.1    55.7
    audio_mae_video        455.0   86.5      25     42.1
    audio_mae_audiovisual  492.6   171.7     27     58.3
    video_mae              35.5    94.2      16     -
    video_mae_audio        37.2    85.5      2.1    52.8
    video_mae_video        455.0   86.5      25     49.3
    video_mae_audiovisual  492.6   171.7     27     62.1
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

ROWS = {"audio_mae": "audio", "video_mae": "video"}
RANDOM = {"audio_mae": ("embedding/.*",), "video_mae": ("embedding_spectrogram/.*",)}
VARIANTS = common.ablation_variants(ROWS)


def get_config(variant: str = "video_mae") -> ConfigDict:
    row, stage = choose(VARIANTS, variant)
    if stage:
        random = () if stage == ROWS[row] else RANDOM[row]
        workdir = f"runs/avmae/vggsound_unimodal_{row}"
        return common.ablation_transfer(stage, workdir, allow_random=random)
    return common.ablation_pretraining(encoder="early", decoder="shared", stage=ROWS[row])
