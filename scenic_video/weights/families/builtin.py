"""The families of checkpoints that are recognised whatever projects are installed."""

from scenic_video.weights.families.family import Family

FAMILIES: tuple[Family, ...] = ()
