"""AV-MAE-L, pretrained on VGGSound or AudioSet, for fine-tuning the largest models.

Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023; the recipe is that of the public
configs. The variant is the data and the number of epochs:

    scenic-video train --config=configs/avmae/pretraining.py:vggsound_800 \
        --workdir=runs/avmae/pretraining_vggsound_800

On VGGSound the encoders are separate, on AudioSet the last two layers are joint; decoders are
shared. The public VGGSound config has 400 epochs, but the public weights match the row of 800.
Unlike there, spectrograms are normalised, as in fine-tuning, so that their error has a smaller
weight. `audioset_audio` uses only audio. Inputs are 16 frames and 8 s of audio (VGGSound) or 9.92 s
(AudioSet: 62 x 8 patches, as in the public model for 10 s). For results see fine-tuning: vggsound,
audioset and epic_kitchens100.

    variant         GFLOPs  M params  EFLOP
    vggsound_200    151.1   621.0     33
    vggsound_400    151.1   621.0     67
    vggsound_800    151.1   621.0     133
    vggsound_1200   151.1   621.0     200
    audioset_120    136.6   595.8     201
    audioset_audio  53.8    315.8     79
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

VARIANTS = {f"vggsound_{epochs}": epochs for epochs in (200, 400, 800, 1200)}
VARIANTS |= {"audioset_120": 120, "audioset_audio": 120}


def get_config(variant: str = "vggsound_800") -> ConfigDict:
    num_epochs = choose(VARIANTS, variant)
    on_vggsound = variant.startswith("vggsound")
    stage = "audio" if variant == "audioset_audio" else "audiovisual"
    encoder = "separate" if on_vggsound else "mid" if stage == "audiovisual" else "early"
    return common.pretraining(
        data="vggsound" if on_vggsound else "audioset_unbalanced",
        model=common.autoencoder("L", encoder=encoder, decoder="shared"),
        masking_rates={"rgb": 0.9, "audio": 0.5 if on_vggsound else 0.7},
        peak=3e-4 if on_vggsound else 6e-4,
        num_epochs=num_epochs,
        seconds=8.0 if on_vggsound else 9.92,
        stage=stage,
    )
