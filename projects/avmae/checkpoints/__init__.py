"""The public checkpoints whose weights the models of this project take."""

from scenic_video.weights.families.family import Family

FAMILIES: tuple[Family, ...] = ()
