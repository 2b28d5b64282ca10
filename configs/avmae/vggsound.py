"""AV-MAE-L, fine-tuned on VGGSound: state of the art, pretraining data and epochs.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023; the recipe is that of the public
config. A variant is what is fine-tuned, and the pretraining that it starts from if that is not the
one on VGGSound with 800 epochs: on AudioSet, or with another number of epochs. The weights of 800
epochs and of AudioSet are public; the others are those of runs/avmae/pretraining_vggsound_*.

    scenic-video train --config=configs/avmae/vggsound.py:audiovisual \
        --workdir=runs/avmae/vggsound_audiovisual

    variant               GFLOPs  M params  EFLOP  top1  released top1
    audio                 129.2   302.9     7.1    57.2  57.2
    video                 1445    304.2     80     50.3  50.3
    audiovisual           1576    606.8     87     65.0  65.0
    audiovisual_audioset  1576    606.8     87     64.7  -
    audiovisual_200       1576    606.8     87     63.2  -
    audiovisual_400       1576    606.8     87     63.9  -
    audiovisual_1200      1576    606.8     87     64.9  -
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

VARIANTS = {
    "audio": ("audio", "vggsound_800"),
    "video": ("video", "vggsound_800"),
    "audiovisual": ("audiovisual", "vggsound_800"),
    "audiovisual_audioset": ("audiovisual", "audioset_120"),
    "audiovisual_200": ("audiovisual", "vggsound_200"),
    "audiovisual_400": ("audiovisual", "vggsound_400"),
    "audiovisual_1200": ("audiovisual", "vggsound_1200"),
}


def get_config(variant: str = "audiovisual") -> ConfigDict:
    stage, pretrained = choose(VARIANTS, variant)
    return common.transfer(
        stage,
        size_name="L",
        start=common.from_pretraining(pretrained),
        data="vggsound",
        fusion_layer=16,
    )
