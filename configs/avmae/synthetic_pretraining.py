"""An audiovisual masked autoencoder on 1,000 synthetic clips, without their labels.

    scenic-video train --config=configs/avmae/synthetic_pretraining.py \
        --workdir=runs/avmae/synthetic_pretraining

Half of the tubelets (8 frames of 8 x 8 pixels) and half of the spectrogram's 8 x 8 patches are
hidden. Expected at the end: test/rgb_loss 0.088, test/audio_loss 0.27. In the first 500 steps the
model learns little more than the background (rgb_loss 0.13, audio_loss 0.66). The run takes about
five minutes on two idle CPU cores. Fine-tune it with synthetic_fine_tuning.py.

    GFLOPs  M params  EFLOP
    0.0282  0.632     -
"""

from ml_collections import ConfigDict

from configs.synthetic import training


def get_config() -> ConfigDict:
    return training(
        model=dict(
            target="projects.avmae.pretraining.model:AudiovisualMaskedAutoencoder",
            hidden_size=64,
            mlp_dim=256,
            num_layers=4,
            num_heads=4,
            positions="learned",
            decoder_hidden_size=96,
            decoder_mlp_dim=192,
            decoder_num_layers=2,
            decoder_num_heads=4,
            decoder_positions="learned",
            tubelet_size=(8, 8, 8),
            masking_rates=dict(rgb=0.5, audio=0.5),
            encoder="shared",
        ),
        task=dict(
            target="scenic_video.tasks.masked_reconstruction:MaskedReconstruction",
            weights=dict(rgb=2.0, audio=0.5),
        ),
        head="event",
        modalities=("rgb", "audio"),
        num_steps=2000,
        peak=2e-3,
    )
