"""Pretraining data and epochs of AV-MAE-L, fine-tuned on Epic-Kitchens-100.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023; the recipe is that of
epic_kitchens100, whose `audiovisual` is the row with 1200 epochs on VGGSound. A variant is the data
and the epochs of pretraining, in runs/avmae/pretraining_<variant>.

    scenic-video train --config=configs/avmae/epic_kitchens100_pretraining.py:vggsound_800 \
        --workdir=runs/avmae/epic_kitchens100_pretraining_vggsound_800

    variant       GFLOPs  M params  EFLOP  action
    vggsound_200  1576    606.9     32     41.8
    vggsound_400  1576    606.9     32     42.5
    vggsound_800  1576    606.9     32     45.5
    audioset_120  1576    606.9     32     43.5
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

WORKDIRS = {
    variant: f"runs/avmae/pretraining_{variant}"
    for variant in ("vggsound_200", "vggsound_400", "vggsound_800", "audioset_120")
}


def get_config(variant: str = "vggsound_800") -> ConfigDict:
    return common.transfer(
        "audiovisual",
        data="epic_kitchens",
        size_name="L",
        start=common.from_autoencoder(choose(WORKDIRS, variant)),
        fusion_layer=16,
        preprocessing={"stride": 1},
    )
