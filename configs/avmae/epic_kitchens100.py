"""AV-MAE-L, fine-tuned on Epic-Kitchens-100, noun and verb.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023; its recipe for this data set was not
published; this one is that of VGGSound, with a stride of one frame as in MBT. The variant is what
is fine-tuned, starting from runs/avmae/pretraining_vggsound_1200.

    scenic-video train --config=configs/avmae/epic_kitchens100.py:audiovisual \
        --workdir=runs/avmae/epic_kitchens100_audiovisual

    variant      GFLOPs  M params  EFLOP  action, verb, noun
    audio        129.2   303.0     2.6    19.7, 52.7, 27.2
    video        1445    304.3     29     45.8, 70.8, 55.9
    audiovisual  1576    606.9     32     46.0, 71.4, 56.4
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

STAGES = {stage: stage for stage in common.MODALITIES}


def get_config(variant: str = "audiovisual") -> ConfigDict:
    return common.transfer(
        choose(STAGES, variant),
        data="epic_kitchens",
        size_name="L",
        start=common.from_autoencoder("runs/avmae/pretraining_vggsound_1200"),
        fusion_layer=16,
        preprocessing={"stride": 1},
    )
