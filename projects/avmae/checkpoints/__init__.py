"""The public checkpoints whose weights the models of this project take."""

from projects.avmae.checkpoints.audio import SPECTROGRAMS
from projects.avmae.checkpoints.image_mae import IMAGE_MAE
from projects.avmae.checkpoints.masked_images import MASKED_IMAGES
from projects.avmae.checkpoints.masked_videos import MASKED_VIDEOS
from projects.avmae.checkpoints.scenic_autoencoders import AUTOENCODERS
from projects.avmae.checkpoints.scenic_fine_tuned import FINE_TUNED_ENCODERS
from projects.avmae.checkpoints.scenic_mbt import MBT
from projects.avmae.checkpoints.video_mae import FINE_TUNED
from scenic_video.weights.families.family import Family

SCENIC: tuple[Family, ...] = (*MBT, *AUTOENCODERS, *FINE_TUNED_ENCODERS)
FAMILIES: tuple[Family, ...] = (
    *SCENIC,
    *FINE_TUNED,
    *IMAGE_MAE,
    *MASKED_IMAGES,
    *MASKED_VIDEOS,
    *SPECTROGRAMS,
)
