"""The public checkpoints whose weights the models of this project take."""

from projects.avmae.checkpoints.audio import SPECTROGRAMS
from projects.avmae.checkpoints.video_mae import FINE_TUNED
from scenic_video.weights.families.family import Family

FAMILIES: tuple[Family, ...] = (*FINE_TUNED, *SPECTROGRAMS)
