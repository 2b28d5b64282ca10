"""The random crop and flip of training clips, on the host."""

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
    """The random crop and flip of a training clip.

    `scale_jitter`, (lowest, highest), is the range of separate random factors for the height and
    width of resized frames (ViViT: 0.9 to 1.33). `crop_area`, (smallest, largest), instead crops a
    random share of the area of the frame (Inception: 0.08 to 1), with a width / height of 3/4 to
    4/3, see `sampling.random_area_crop`; `preprocessing.resize` is then not used. `flip` flips
    clips left to right with probability 0.5; None means if the dataset is `flip_safe`.

    Errors: ConfigError if both are given, or for an invalid range.
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
        """With `flip` True or False. Errors: ConfigError for True if flips change labels."""
        if self.flip and not dataset.flip_safe:
            raise ConfigError(
                f"augmentation.geometry.flip=True, but flipping a clip of {dataset.name!r} may "
                "change its label. Leave flip out, or set dataset.flip_safe=True if it does not."
            )
        flip = dataset.flip_safe if self.flip is None else self.flip
        return dataclasses.replace(self, flip=flip)

    def random_crop(self, *, resize: int, crop: tuple[int, int]) -> Callable[..., Crop]:
        """A function (rng, height, width, flipped=) -> a random crop, scaled to `crop`."""
        if self.crop_area is not None:
            return functools.partial(random_area_crop, area=self.crop_area, crop=crop)
        return functools.partial(
            random_crop, resize=resize, crop=crop, scale_jitter=self.scale_jitter
        )
