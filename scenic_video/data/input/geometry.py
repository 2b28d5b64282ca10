"""Which part of the frames a training clip keeps, and whether it is mirrored."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

from scenic_video.config import ConfigError
from scenic_video.data.decoding.sampling import Crop, random_area_crop, random_crop
from scenic_video.data.examples import Dataset
from scenic_video.field_types import Positive, PositiveShare


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The random crop and flip of a training clip, on the host.

    `scale_jitter` draws a factor each for the height and width of the resized frames from
    (low, high) (ViViT: 0.9 to 1.33). `crop_area` instead cuts out a box with a share of the area
    in (low, high) (Inception: 0.08 to 1), of any aspect from 3/4 to 4/3, see
    `sampling.random_area_crop`; `preprocessing.resize` has no part in that. `flip` mirrors every
    other clip; None does where the dataset says that this keeps the label, see `of_dataset`.

    Errors: ConfigError where both ranges are given, or one is none.
    """

    scale_jitter: Sequence[Positive] | None = None
    crop_area: Sequence[PositiveShare] | None = None
    flip: bool | None = None

    def __post_init__(self):
        jitter, area = self.scale_jitter, self.crop_area
        if jitter is not None and area is not None:
            raise ConfigError(
                f"crop_area={area} replaces scale_jitter={jitter}; set one of them to None."
            )
        if area is not None and (len(area) != 2 or not 0 < area[0] <= area[1] <= 1):
            raise ConfigError(f"crop_area is (smallest, largest) share in (0, 1]; {area}.")
        if jitter is not None and (len(jitter) != 2 or not 0 < jitter[0] <= jitter[1]):
            raise ConfigError(f"scale_jitter is (lowest, highest) factor, both above 0; {jitter}.")

    def of_dataset(self, dataset: Dataset) -> "Geometry":
        """With `flip` True or False; True is refused where mirroring changes labels."""
        if self.flip and not dataset.flip_safe:
            raise ConfigError(
                f"augmentation.geometry.flip=True, but mirroring a clip of {dataset.name!r} "
                "changes its label. Leave flip out, or say dataset.flip_safe=True if you know "
                "better."
            )
        flip = dataset.flip_safe if self.flip is None else self.flip
        return dataclasses.replace(self, flip=flip)

    def draw_crop(self, *, resize: int, crop: tuple[int, int]) -> Callable[..., Crop]:
        """(rng, height, width, mirrored=) -> the crop, `crop` large."""
        if self.crop_area is not None:
            return functools.partial(random_area_crop, area=self.crop_area, crop=crop)
        return functools.partial(
            random_crop, resize=resize, crop=crop, scale_jitter=self.scale_jitter
        )
