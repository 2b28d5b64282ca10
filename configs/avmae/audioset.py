"""AV-MAE-L, fine-tuned on AudioSet-500k, multi-label.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023; the recipe is that of the public
config. A variant is what is fine-tuned, and the pretraining that it starts from if that is not the
one on AudioSet: on VGGSound, or on the audio of AudioSet alone; their weights are public. The first
mAP is from the talk and the paper; `released` is that of the public weights, by a corrected
evaluation.

    scenic-video train --config=configs/avmae/audioset.py:audiovisual \
        --workdir=runs/avmae/audioset_audiovisual

    variant               GFLOPs  M params  EFLOP  mAP   released mAP
    audio                 162.6   303.1     24     45.7  46.6
    video                 1445    304.4     217    30.6  31.1
    audiovisual           1609    607.0     241    51.3  51.8
    audiovisual_vggsound  1609    607.0     241    51.2  -
    audio_alone           162.6   303.1     24     -     46.4
"""

from ml_collections import ConfigDict

from configs.augmentations import CIRCULAR_SHIFT, spec_augment
from configs.avmae import common
from configs.variants import choose

VARIANTS = {
    "audio": ("audio", "audioset_120"),
    "video": ("video", "audioset_120"),
    "audiovisual": ("audiovisual", "audioset_120"),
    "audiovisual_vggsound": ("audiovisual", "vggsound_800"),
    "audio_alone": ("audio", "audioset_audio"),
}


def get_config(variant: str = "audiovisual") -> ConfigDict:
    stage, pretrained = choose(VARIANTS, variant)
    return common.transfer(
        stage,
        size_name="L",
        start=common.from_pretraining(pretrained),
        data="audioset_500k",
        fusion_layer=18,
        peak=1.6,
        preprocessing={"audio": common.audio(9.92)},
        augmentation={"audio": [CIRCULAR_SHIFT, spec_augment(frequency_masks=(2, 36))]},
        input={"batch_size": 128},
    )
