"""The augmentation of training examples."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from scenic_video.config import ConfigError, near
from scenic_video.data.input.geometry import Geometry
from scenic_video.tasks.mixup import Mixing
from scenic_video.transforms.augmentation import Augment, name_of


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """See `augmentation`."""

    geometry: Geometry
    by_modality: Mapping[str, Sequence[Augment]]
    mixing: Mixing

    def check(self, modalities: Collection[str]) -> None:
        """Errors: ConfigError for augmentations of a modality that the run does not read."""
        for name, augmentations in self.by_modality.items():
            if augmentations and name not in modalities:
                raise ConfigError(
                    f"augmentation.{name} lists {', '.join(map(name_of, augmentations))}, but "
                    f"preprocessing.modalities={tuple(modalities)} has no {name!r}"
                    f"{near(name, list(modalities))} Name it there, or leave the augmentations "
                    f"out (--config.augmentation.{name}=None)."
                )


def augmentation(
    *,
    geometry: Geometry | None = None,
    mixing: Mixing | None = None,
    **by_modality: Sequence[Augment],
) -> Augmentation:
    """Applies `geometry` on the host; then, on the device, the list of each modality, its
    normalisation (for audio, before the list), and `mixing` of the examples of a batch.

    Lists, such as `rgb` and `audio`, hold functions of a single example, of any package; see
    `transforms.augmentation.Augment`.
    """
    return Augmentation(geometry or Geometry(), by_modality, mixing or Mixing())
