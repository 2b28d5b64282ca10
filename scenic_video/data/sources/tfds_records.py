"""Reads TFDS datasets as splits of encoded videos (or images), without TensorFlow.

These are either written by `scenic_video.data.preparation.tfds_writer` or image datasets of the
TFDS catalogue: one feature has the encoded bytes, and class labels are heads. Examples are read
on access, and a split can be pickled.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.config import near
from scenic_video.data.examples import Dataset, Example
from scenic_video.data.sources.fingerprint import fingerprint
from scenic_video.data.sources.statistics import read_statistics
from scenic_video.data.sources.tfds_layout import Layout, check_features, find_layout
from scenic_video.errors import UserError
from scenic_video.json_hash import json_hash

INFO_FILE = "dataset_info.json"
CATALOGUE_NAME = re.compile(r"\w+(/[\w.+-]+)?(:[\d.*]+)?")
"""Without a namespace, for which TFDS would download code."""


def tfds(
    name: str,
    *,
    splits: Mapping[str, str] | None = None,
    heads: str | Sequence[str] | None = None,
    data_dir: str | None = None,
    flip_safe: bool | None = None,
) -> Dataset:
    """A TFDS dataset: a directory that `scenic-video data build` wrote, or a catalogue name.

    A catalogue dataset ("imagenet2012", below `data_dir`) must have been prepared with
    file_format=array_record. `splits` selects and names splits, {"train": "train[:90%]"}, and
    `heads` selects class labels; None means all. `flip_safe=None` uses the value that `data build`
    wrote, else True.
    """
    builder = _builder(name, data_dir)
    layout = find_layout(builder.info, heads)
    notes = _notes(builder)
    every = notes.get("splits", list(builder.info.splits))
    chosen = dict(zip(every, every, strict=True)) if splits is None else dict(splits)
    found = {split: _split(builder, source, layout) for split, source in chosen.items()}
    return Dataset(
        name=builder.info.name,
        splits=found,
        labels=layout.labels,
        fingerprint=_noted_fingerprint(notes, chosen, layout) or fingerprint(found, layout.labels),
        flip_safe=bool(notes.get("flip_safe", True)) if flip_safe is None else flip_safe,
        statistics=read_statistics(Path(builder.data_dir)),
        folder=str(builder.data_dir),
    )


def find_records(path: Path) -> Path | None:
    """`path` or the one folder below it (<name>/<config>/<version>) with a TFDS dataset."""
    for pattern in (INFO_FILE, f"*/{INFO_FILE}", f"*/*/{INFO_FILE}", f"*/*/*/{INFO_FILE}"):
        found = sorted(path.glob(pattern))
        if len(found) > 1:
            raise UserError(
                f"{path} contains several TFDS datasets; name one of "
                f"{', '.join(str(file.parent) for file in found)}."
            )
        if found:
            return found[0].parent
    return None


@dataclasses.dataclass(frozen=True)
class RecordSplit(Sequence[Example]):
    """The examples of one split, read from the records on access."""

    source: Any
    name: str
    layout: Layout
    dataset_fingerprint: str
    """Of all splits that are stored."""

    @property
    def fingerprint(self) -> str:
        return json_hash([self.dataset_fingerprint, self.name])

    @property
    def whole_fingerprint(self) -> str:
        return json_hash([self.dataset_fingerprint, re.sub(r"\[[^]]*\]", "", self.name)])

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return tuple(self[position] for position in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"Example {index} of {len(self)}.")
        index = int(index) % len(self)
        return self._example(self.source[index], index)

    def _example(self, record: Mapping[str, Any], index: int) -> Example:
        layout = self.layout
        example_id = record[layout.id].decode() if layout.id else f"{self.name}/{index}"
        times = (record["start"], record["end"]) if layout.has_times else ("", "")
        start, end = (_seconds(time) for time in times)
        return Example(
            id=example_id,
            video=bytes(record[layout.video]),
            labels={head: _class_ids(record[head]) for head in layout.labels.classes},
            start=start or 0.0,
            end=end,
        )


def _seconds(value: bytes | str | float) -> float | None:
    """Times are text in records that `data build` wrote, numbers in others."""
    return None if value in (b"", "") or math.isinf(float(value)) else float(value)


def _class_ids(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, Sequence) or getattr(value, "ndim", 0) else [value]
    return tuple(int(item) for item in values)


def _builder(name: str, data_dir: str | None) -> Any:
    # Imported here because it takes a second, which other datasets need not spend.
    import tensorflow_datasets

    directory = find_records(Path(name).expanduser())
    if directory is not None:
        check_features(directory)
        builder = tensorflow_datasets.builder_from_directory(directory)
    else:
        builder = _catalogue_builder(tensorflow_datasets, name, data_dir)
    file_format = builder.info.file_format
    if file_format is None or file_format.value != "array_record":
        raise UserError(
            f"The TFDS dataset {name} has {file_format and file_format.value} files, which only "
            "TensorFlow reads. Prepare it with file_format=array_record."
        )
    return builder


def _catalogue_builder(tensorflow_datasets: Any, name: str, data_dir: str | None) -> Any:
    if not CATALOGUE_NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is neither a folder with TFDS records nor a name in the TFDS catalogue, "
            "such as 'imagenet2012' or 'name/config:1.0.0'."
        )
    try:
        builder = tensorflow_datasets.builder(name, data_dir=data_dir)
    except tensorflow_datasets.core.DatasetNotFoundError as error:
        raise UserError(
            f"{name!r} is neither a folder with TFDS records nor a dataset in the TFDS catalogue."
        ) from error
    if not builder.info.splits:
        raise UserError(
            f"The TFDS dataset {name} is not in {builder.data_path.parent}. Prepare it first: "
            f"tfds build {name} --file_format=array_record"
        )
    return builder


def _split(builder: Any, source: str, layout: Layout) -> RecordSplit:
    import tensorflow_datasets

    known = list(builder.info.splits)
    if source.partition("[")[0] not in known and "+" not in source:
        raise UserError(
            f"{builder.info.name} has no split {source!r}; it has {', '.join(known)}"
            f"{near(source, known)}"
        )
    if not builder.info.splits[source].num_examples:
        raise UserError(f"The split {source!r} of {builder.info.name} has no examples.")
    keep_encoded = {image: tensorflow_datasets.decode.SkipDecoding() for image in layout.images}
    records = builder.as_data_source(source, decoders=keep_encoded or None)
    return RecordSplit(records, source, layout, _stored_fingerprint(builder))


def _stored_fingerprint(builder: Any) -> str:
    """Of name, version and sizes, and of the fingerprint that `data build` wrote, if it did."""
    sizes = {
        name: [info.num_examples, info.num_bytes] for name, info in builder.info.splits.items()
    }
    return json_hash([[_notes(builder).get("fingerprint"), builder.info.full_name, sizes]])


def _noted_fingerprint(
    notes: Mapping[str, Any], splits: Mapping[str, str], layout: Layout
) -> str | None:
    """The fingerprint that `data build` wrote, if all that it wrote is used."""
    everything = all(split == source for split, source in splits.items())
    everything = everything and list(splits) == notes.get("splits")
    everything = everything and list(layout.labels.classes) == notes.get("heads")
    return notes.get("fingerprint") if everything else None


def _notes(builder: Any) -> Mapping[str, Any]:
    """What `data build` wrote beside the records; {} for other datasets."""
    return builder.info.metadata or {}
