"""The public checkpoints whose weights the models of this project take."""

from projects.vivit.checkpoints.scenic import SCENIC
from projects.vivit.checkpoints.siglip import SIGLIP
from projects.vivit.checkpoints.timm import TIMM_TOWERS
from projects.vivit.checkpoints.towers import TOWERS
from projects.vivit.checkpoints.videoprism import VIDEOPRISM
from scenic_video.weights.families.family import Family

FAMILIES: tuple[Family, ...] = (*SCENIC, *TOWERS, *TIMM_TOWERS, *SIGLIP, *VIDEOPRISM)
