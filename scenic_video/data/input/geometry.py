"""Which part of the frames a training clip keeps, and whether it is mirrored."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Annotated

from annotated_types import Len

from scenic_video.config import ConfigError, check_fields, require
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

    scale_jitter: Annotated[Sequence[Positive], Len(2, 2)] | None = None
    crop_area: Annotated[Sequence[PositiveShare], Len(2, 2)] | None = None
    flip: bool | None = None

    def __post_init__(self):
        check_fields(self)
        jitter, area = self.scale_jitter, self.crop_area
        wanted = {
            "one of crop_area and scale_jitter to be None": jitter is None or area is None,
            "crop_area as (smallest, largest)": area is None or area[0] <= area[1],
            "scale_jitter as (lowest, highest)": jitter is None or jitter[0] <= jitter[1],
        }
        require(wanted, of=self)

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
