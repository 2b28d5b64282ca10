"""The classes and sizes of data sets whose files are missing, so that runs can be planned.

Those of published data sets are rounded: Kinetics 400, 600, 700 (Kay et al. 2017, Carreira et al.
2018, 2019), Moments in Time (Monfort et al. 2019), EPIC-Kitchens-100 (Damen et al. 2022),
Something-Something v2 (Goyal et al. 2017), VGGSound (Chen et al. 2020), AudioSet (Gemmeke et al.
2017), Charades (Sigurdsson et al. 2016), AViD (Piergiovanni and Ryoo 2020), ImageNet (Russakovsky
et al. 2015).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.synthetic.labels import (
    CLASSES,
    columns_of_heads,
    examples_per_clip,
    is_multilabel,
    manifests_exist,
)
from scenic_video.data.synthetic_settings import SPLITS, Settings

SYNTHETIC = "scenic_video.data.synthetic:dataset"
READERS = ("scenic_video.data.published.", "scenic_video.data.sources.datasets:class_folders")


@dataclasses.dataclass(frozen=True)
class Published:
    """The classes of each head, and thousands of examples to train and to test on."""

    heads: Mapping[str, int]
    train: int
    test: int
    multilabel: bool = False
    flip_safe: bool = True

    def outline(self, name: str) -> Dataset:
        classes = {head: tuple(map(str, range(n))) for head, n in self.heads.items()}
        labels = LabelSpace(classes, multilabel=self.multilabel)
        sizes = {"train": 1000 * self.train, "test": 1000 * self.test}
        return _outline(name, sizes, labels, flip_safe=self.flip_safe)


_AUDIOSET = {"label": 527}
PUBLISHED = {
    "kinetics400": Published({"label": 400}, 240, 20),
    "kinetics600": Published({"label": 600}, 392, 30),
    "kinetics700": Published({"label": 700}, 545, 35),
    "moments_in_time": Published({"label": 339}, 791, 34),
    "epic_kitchens": Published({"noun": 300, "verb": 97}, 67, 10),
    "something_something": Published({"label": 174}, 169, 25, flip_safe=False),
    "vggsound": Published({"label": 309}, 184, 15),
    "audioset_balanced": Published(_AUDIOSET, 22, 20, multilabel=True),
    "audioset_500k": Published(_AUDIOSET, 500, 20, multilabel=True),
    "audioset_unbalanced": Published(_AUDIOSET, 2042, 20, multilabel=True),
    "charades": Published({"action": 157}, 8, 2, multilabel=True),
    "avid": Published({"label": 887}, 410, 40),
    "imagenet": Published({"label": 1000}, 1281, 50),
}
"""By their names in recipes."""


@dataclasses.dataclass(frozen=True)
class Absent(Sequence[Example]):
    """Examples without files: they can be counted, but are all the same."""

    number: int
    labels: LabelSpace

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Absent(len(range(self.number)[index]), self.labels)
        label = {head: (0,) for head in self.labels.classes}
        return Example(id=f"missing: {range(self.number)[index]}", video="", labels=label)


def outline_of(node: Any) -> Dataset | None:
    """The outline of the data set of a config node, or None if its sizes are unknown."""
    if not isinstance(node, Mapping):
        return None
    target, name = str(node.get("target")), str(node.get("name"))
    if target == SYNTHETIC:
        return _synthetic({field: value for field, value in node.items() if field != "target"})
    if target.startswith(READERS) and name in PUBLISHED:
        return PUBLISHED[name].outline(name)
    return None


def _synthetic(fields: dict[str, Any]) -> Dataset | None:
    """An outline of the clips that are not generated yet; None if they exist."""
    columns = columns_of_heads(fields.get("heads", ("action",)))
    directory = Path(fields["directory"]).expanduser()
    if all(manifests_exist(directory, split) for split in SPLITS):
        return None
    known = {field.name for field in dataclasses.fields(Settings)}
    settings = Settings.of({name: value for name, value in fields.items() if name in known})
    classes = {head: CLASSES[column] for head, column in columns.items()}
    labels = LabelSpace(classes, multilabel=is_multilabel(columns))
    number = examples_per_clip(columns, settings)
    sizes = {split: size * number for split, size in settings.split_sizes.items()}
    return _outline("synthetic", sizes, labels, flip_safe=False)


def _outline(
    name: str, sizes: Mapping[str, int], labels: LabelSpace, *, flip_safe: bool
) -> Dataset:
    return Dataset(
        name=name,
        splits={split: Absent(size, labels) for split, size in sizes.items()},
        labels=labels,
        fingerprint="missing",
        flip_safe=flip_safe,
    )
