"""What AV-MAE predicts: ablation on VGGSound.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023, the table of objectives. A row is
pretrained, and then fine-tuned on audio, on video, or on both:

    scenic-video train --config=configs/avmae/vggsound_objective.py:inpaint_both \
        --workdir=runs/avmae/vggsound_objective_inpaint_both
    scenic-video train --config=configs/avmae/vggsound_objective.py:inpaint_both_audiovisual \
        --workdir=runs/avmae/vggsound_objective_inpaint_both_audiovisual

The encoder is early, the decoder shared. To inpaint is to predict the hidden tokens of one modality
from the visible ones of the other. The ablations use B. The paper's main text does not give their
number of epochs; the 400 here are those of the public VGGSound config, as is the rest of the
recipe.

    variant                     GFLOPs  M params  EFLOP  top1
    reconstruction              58.0    94.8      26     -
    reconstruction_audio        37.2    85.5      2.1    55.5
    reconstruction_video        455.0   86.5      25     46.5
    reconstruction_audiovisual  492.6   171.7     27     62.2
    inpaint_video               58.3    94.8      26     -
    inpaint_video_audio         37.2    85.5      2.1    51.5
    inpaint_video_video         455.0   86.5      25     39.9
    inpaint_video_audiovisual   492.6   171.7     27     58.4
    inpaint_audio               58.3    94.8      26     -
    inpaint_audio_audio         37.2    85.5      2.1    52.5
    inpaint_audio_video         455.0   86.5      25     38.1
    inpaint_audio_audiovisual   492.6   171.7     27     58.2
    inpaint_both                58.3    94.8      26     -
    inpaint_both_audio          37.2    85.5      2.1    54.1
    inpaint_both_video          455.0   86.5      25     38.6
    inpaint_both_audiovisual    492.6   171.7     27     58.4
"""

from typing import Any

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

ROWS: dict[str, dict[str, Any]] = {
    "reconstruction": {},
    "inpaint_video": {"weights": {"rgb": 1.0, "audio": 0.0}},
    "inpaint_audio": {"weights": {"rgb": 0.0, "audio": 1.0}},
    "inpaint_both": {},
}
VARIANTS = common.ablation_variants(ROWS)


def get_config(variant: str = "inpaint_both") -> ConfigDict:
    row, stage = choose(VARIANTS, variant)
    if stage:
        return common.ablation_transfer(stage, f"runs/avmae/vggsound_objective_{row}")
    return common.ablation_pretraining(
        encoder="early",
        decoder="shared",
        objective="reconstruction" if row == "reconstruction" else "inpainting",
        task=ROWS[row],
    )
