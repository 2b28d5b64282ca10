"""Writes a dataset as TFDS records with the encoded videos, byte for byte."""

import contextlib
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.errors import UserError

VERSION = "1.0.0"


def build_tfds(
    dataset: Dataset,
    directory: str | os.PathLike,
    *,
    name: str | None = None,
    num_shards: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes all splits of `dataset` to `directory`, which must not exist yet or be empty.

    `datasets.tfds(directory)` reads it, as does `tfds.builder_from_directory(directory)
    .as_data_source()` without this package. Labels, class names, `flip_safe` and fingerprint are
    kept. `num_shards` is the number of files per split (None: TFDS decides by size). `progress` is
    called with the numbers of written and of all examples. Until all records are written, they are
    in `<directory>.incomplete`.
    """
    directory = Path(directory).expanduser()
    scratch = directory.with_name(directory.name + ".incomplete")
    name = name or re.sub(r"\W+", "_", dataset.name.lower()).strip("_")
    _check_names(name, dataset.labels)
    _check_shards(dataset, num_shards)
    _check_sources(dataset)
    _check_free(directory, scratch)
    total = sum(len(split) for split in dataset.splits.values())
    scratch.mkdir(parents=True)
    try:
        with _quiet_tfds():
            builder = _Builder(name, dataset, scratch, _count(total, progress))
            config = tfds.download.DownloadConfig(num_shards=num_shards)
            builder.download_and_prepare(file_format="array_record", download_config=config)
        os.replace(builder.data_path, directory)
    finally:
        shutil.rmtree(scratch)
    return directory


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The TFDS builder: its features, and an iterator of records per split."""

    VERSION = tfds.core.Version(VERSION)
    # There is nothing to download. TFDS would look for checksums next to this file, with a package
    # that is not among its dependencies.
    url_infos = {}

    def __init__(self, name: str, dataset: Dataset, data_dir: Path, written: Callable[[], None]):
        self.name = name  # pyright: ignore[reportAttributeAccessIssue]
        self._dataset = dataset
        self._written = written
        super().__init__(data_dir=data_dir, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        dataset = self._dataset
        notes = {
            "fingerprint": dataset.fingerprint,
            "flip_safe": dataset.flip_safe,
            "splits": list(dataset.splits),
            "heads": list(dataset.labels.classes),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Encoded videos with their class labels, written by scenic_video.",
            features=_features(dataset.labels),
            metadata=tfds.core.MetadataDict(notes),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {name: self._generate_examples(name) for name in self._dataset.splits}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, example in enumerate(self._dataset.splits[split]):
            yield index, _record(example, self._dataset.labels)
            self._written()


def _features(labels: LabelSpace) -> tfds.features.FeaturesDict:
    kind = tfds.features.Sequence if labels.multilabel else lambda label: label
    return tfds.features.FeaturesDict(
        {
            "video": tfds.features.Tensor(shape=(), dtype=np.bytes_),
            "video_id": tfds.features.Text(),
            # Text, since TFDS stores 64-bit numbers as 32-bit ones.
            "start": tfds.features.Text(doc="seconds"),
            "end": tfds.features.Text(doc="seconds; empty: the end of the file"),
            **{
                head: kind(tfds.features.ClassLabel(names=list(names)))
                for head, names in labels.classes.items()
            },
        }
    )


def _record(example: Example, labels: LabelSpace) -> dict[str, Any]:
    video = example.video if isinstance(example.video, bytes) else Path(example.video).read_bytes()
    classes = {head: list(example.labels[head]) for head in labels.classes}
    return {
        "video": video,
        "video_id": example.id,
        "start": repr(float(example.start)),
        "end": "" if example.end is None else repr(float(example.end)),
        **{head: ids if labels.multilabel else ids[0] for head, ids in classes.items()},
    }


def _count(total: int, progress: Callable[[int, int], None] | None) -> Callable[[], None]:
    done = Counter()

    def written() -> None:
        done["examples"] += 1
        if progress is not None:
            progress(done["examples"], total)

    return written


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Turns off the progress bars and messages of TFDS."""
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()


def _check_free(directory: Path, scratch: Path) -> None:
    if scratch.exists():
        raise UserError(
            f"{scratch} is left over from a build that was interrupted or is still running. "
            "Delete it if none is running."
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} already exists. Delete it or choose another directory.")


def _check_names(name: str, labels: LabelSpace) -> None:
    """TFDS uses names of heads as file names, and stores one class name per line."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"{name!r} is not a TFDS name; use lower-case letters, digits and '_'.")
    for head, classes in labels.classes.items():
        if not re.fullmatch(r"\w[\w.-]*", head) or head in ("video", "video_id", "start", "end"):
            raise UserError(f"The head {head!r} cannot be stored by TFDS; rename it with `heads`.")
        wrong = [label for label in classes if label != label.strip() or "\n" in label]
        if wrong:
            raise UserError(
                f"The class {wrong[0]!r} of {head!r} cannot be stored by TFDS; rename it."
            )


def _check_shards(dataset: Dataset, num_shards: int | None) -> None:
    wanted = 1 if num_shards is None else num_shards
    for split, examples in dataset.splits.items():
        if not examples or not 1 <= wanted <= len(examples):
            raise UserError(
                f"{wanted} shards are not possible: the split {split!r} has {len(examples)} "
                "examples, and every shard needs at least one."
            )


def _check_sources(dataset: Dataset) -> None:
    """Errors: UserError if files are missing, or if each is cut into many clips on average."""
    for split, examples in dataset.splits.items():
        if not isinstance(examples, tuple | list):
            continue  # already records, which contain the bytes
        paths = [example.video for example in examples if isinstance(example.video, str)]
        files = list(dict.fromkeys(paths))
        missing = [path for path in files if not os.path.isfile(path)]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(files)} videos of the split {split!r} are missing, such "
                f"as {missing[0]}. `scenic-video data check` lists them all."
            )
        if len(paths) > 2 * len(files):
            raise UserError(
                f"The split {split!r} cuts {len(paths)} clips from {len(files)} files, and every "
                "record would contain a whole file. Cut them first: `scenic-video data transcode`."
            )
