"""The public checkpoints whose weights the models of this project take."""

from projects.mtv.checkpoints.scenic import SCENIC
from scenic_video.weights.families.family import Family

FAMILIES: tuple[Family, ...] = SCENIC
