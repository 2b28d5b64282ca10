"""Where examples come from: the functions that a config's dataset node names.

manifest        CSV, TSV or JSON lines, see `scenic_video.data.manifest`
class_folders   directory/<split>/<class>/*.mp4 or directory/<class>/*.mp4; pictures alike
tfds            TFDS datasets, ours or of the catalogue, see `scenic_video.data.records`

`scenic_video.data.benchmarks` has those that read what published data sets come with.
"""

import hashlib
import inspect
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.config import build, resolve
from scenic_video.data.agreement import checked
from scenic_video.data.assembling import assemble
from scenic_video.data.examples import Dataset
from scenic_video.data.flow import SUFFIX as FLOW_SUFFIX
from scenic_video.data.labels import Names
from scenic_video.data.manifest import Heads, Row, columns_of, read_manifest
from scenic_video.data.records import find_records, tfds
from scenic_video.data.synthetic_settings import SETTINGS_FILE
from scenic_video.data.tables import SUFFIXES, read_json
from scenic_video.data.video_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["class_folders", "manifest", "open_dataset", "tfds"]

SPLIT_NAMES = ("train", "validation", "validate", "val", "test")
"""In `class_folders`, a folder of such a name tells that all folders beside it are splits."""
FIELDS_FILE = "dataset.json"


def open_dataset(path: str | os.PathLike | Mapping[str, Any], **options: Any) -> Dataset:
    """The dataset of a config node, or of a plain string, told apart by what it names:

    "tfds:name"                  `tfds(name)`
    a .json                      the config node in there, {"target": ..., ...}
    a .csv, .tsv or .jsonl       `manifest`; the file's stem names its only split
    a folder of those            `manifest`; every file is a split (train.csv, test.csv, ...)
    ... with a dataset.json      `manifest` with the fields in there; its paths start at the folder
    a folder of synthetic clips  `scenic_video.data.synthetic:read`
    a folder of records          `tfds`
    any other folder             `class_folders`

    `options` are further fields of that function.
    """
    node = dict(path) if isinstance(path, Mapping) else _node(os.fspath(path), options.get("heads"))
    if "multilabel" in options and _knows_labels(node):
        del options["multilabel"]
    return checked(build({**node, **options}), maker=str(node["target"]))


def _knows_labels(node: Mapping[str, Any]) -> bool:
    """Whether the reader sees for itself how many labels an example has; folders have one."""
    takes = inspect.signature(resolve(node["target"])).parameters
    return "multilabel" not in takes and node["target"] != f"{__name__}:class_folders"


def _node(name: str, heads: Heads | None) -> dict[str, Any]:
    """The config node that a plain string is short for."""
    here = f"{__name__}:"
    if name.startswith("tfds:"):
        return {"target": here + "tfds", "name": name.removeprefix("tfds:")}
    path = Path(name).expanduser()
    if path.suffix == ".json":
        return _read_node(path)
    if path.suffix in SUFFIXES:
        return {"target": here + "manifest", "splits": {path.stem: str(path)}}
    if not path.is_dir():
        raise ValueError(
            f"{name!r} is no dataset: wanted 'tfds:<name>', a manifest ({', '.join(SUFFIXES)}), "
            "a config node (.json), or a folder that exists."
        )
    if (path / SETTINGS_FILE).exists():
        return {"target": "scenic_video.data.synthetic:read", "directory": str(path)}
    if find_records(path) is not None:
        return {"target": here + "tfds", "name": str(path)}
    if (path / FIELDS_FILE).exists():
        return {"target": here + "manifest", **_read_fields(path, heads)}
    manifests = [file for file in path.iterdir() if file.suffix in SUFFIXES]
    if manifests:
        manifests.sort(key=lambda file: _usual_order(file.stem))
        splits = {file.stem: str(file) for file in manifests}
        return {"target": here + "manifest", "splits": splits}
    return {"target": here + "class_folders", "directory": str(path)}


def _read_node(path: Path) -> dict[str, Any]:
    node = read_json(path, dict)
    if "target" not in node:
        raise ValueError(
            f"{path} is no config node of a dataset: there is no 'target' in it, such as "
            "'scenic_video.data.benchmarks.kinetics:kinetics'."
        )
    return node


def _read_fields(folder: Path, heads: Heads | None) -> dict[str, Any]:
    fields = read_json(folder / FIELDS_FILE, dict)
    fields["splits"] = {split: str(folder / path) for split, path in fields["splits"].items()}
    if heads is not None:
        chosen = columns_of(heads).items()
        names = fields.get("classes", {})
        fields["classes"] = {head: names[column] for head, column in chosen if column in names}
    return fields


def manifest(
    splits: Mapping[str, str],
    *,
    root: str | None = None,
    heads: Heads | None = None,
    multilabel: bool = False,
    classes: Mapping[str, Names] | Names | None = None,
    flip_safe: bool = True,
    name: str | None = None,
) -> Dataset:
    """The dataset of one manifest a split, {"train": "train.csv", ...}.

    See `read_manifest` for the files, `root`, `heads` and `multilabel`. Class names are the
    sorted distinct labels of all splits unless `classes` gives them (by head, as a list or a file
    with one name a line); then labels may be ids. Set `flip_safe=False` if a mirrored clip has
    another label.
    """
    rows = {
        split: read_manifest(path, root=root, heads=heads, multilabel=multilabel)
        for split, path in splits.items()
    }
    if not rows:
        raise ValueError("manifest needs at least one split: {'train': 'train.csv'}.")
    for split, path in splits.items():
        _expect_files(rows[split], path)
    first = Path(next(iter(splits.values())))
    return assemble(
        rows,
        name=name or first.resolve().parent.name,
        classes=classes,
        multilabel=multilabel,
        flip_safe=flip_safe,
        folder=first.parent,
    )


def class_folders(
    directory: str,
    *,
    head: str = "label",
    test_fraction: float = 0.2,
    classes: Names | None = None,
    flip_safe: bool = True,
    suffixes: Sequence[str] | None = None,
    name: str | None = None,
) -> Dataset:
    """The dataset of a folder of folders: directory/<split>/<class>/<video>.

    If no folder is named after a split, the layout is directory/<class>/<video>, and about
    `test_fraction` of the videos make the split "test": a hash of a video's id decides, so the
    choice holds when videos are added. Pictures are videos of one frame. Files with other
    `suffixes` than those of videos and pictures are left out; where there are both, `suffixes`
    must say which are meant, as pictures beside videos are often their previews.
    """
    top = Path(directory).expanduser()
    if not top.is_dir():
        raise ValueError(f"There is no folder {directory}.")
    wanted = tuple(suffixes or VIDEO_SUFFIXES + IMAGE_SUFFIXES)
    folders = sorted(_folders(top), key=lambda folder: _usual_order(folder.name))
    if any(folder.name in SPLIT_NAMES for folder in folders):
        rows = {folder.name: _class_rows(folder, head, wanted) for folder in folders}
    else:
        rows = _hold_out(_class_rows(top, head, wanted), test_fraction)
    for split, found in rows.items():
        if not found:
            raise ValueError(
                f"The split {split!r} of {directory} has no examples: wanted "
                f"<class>/<video> with one of the suffixes {', '.join(wanted)}."
            )
    if suffixes is None:
        _refuse_mixture(directory, [row.path for found in rows.values() for row in found])
    return assemble(
        rows,
        name=name or top.resolve().name,
        classes=classes,
        flip_safe=flip_safe,
        folder=top,
    )


def _expect_files(rows: Sequence[Row], path: str) -> None:
    """A wrong root shows in the first files; `check` looks at them all."""
    first = list(itertools.islice(rows, 20))
    if not any(Path(row.path).exists() for row in first):
        raise ValueError(
            f"None of the first {len(first)} videos of {path} exists, such as {first[0].path}. "
            "Relative paths start at the manifest's folder; set `root` to start elsewhere."
        )


def _usual_order(split: str) -> tuple[int, str]:
    known = split in SPLIT_NAMES
    return SPLIT_NAMES.index(split) if known else len(SPLIT_NAMES), split


def _folders(directory: Path) -> list[Path]:
    return sorted(
        path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _refuse_mixture(directory: str, paths: Sequence[str]) -> None:
    """Errors: ValueError where pictures lie beside videos."""
    num_pictures = sum(path.lower().endswith(IMAGE_SUFFIXES) for path in paths)
    if 0 < num_pictures < len(paths):
        raise ValueError(
            f"{directory} holds {len(paths) - num_pictures} videos and {num_pictures} pictures. "
            f"Which are meant? Set `suffixes`, as in suffixes={VIDEO_SUFFIXES[:1]}."
        )


def _class_rows(directory: Path, head: str, suffixes: Sequence[str]) -> list[Row]:
    """A row for every directory/<class>/<video>, sorted by class and name."""
    return [
        Row(
            id=video.relative_to(directory).as_posix(),
            path=str(video),
            start=0.0,
            end=None,
            labels={head: (folder.name,)},
            place=str(video),
        )
        for folder in _folders(directory)
        for video in sorted(folder.iterdir())
        if video.suffix.lower() in suffixes and not video.name.endswith(FLOW_SUFFIX)
    ]


def _hold_out(rows: Sequence[Row], test_fraction: float) -> dict[str, list[Row]]:
    if not 0 <= test_fraction < 1:
        raise ValueError(f"test_fraction must lie in [0, 1); got {test_fraction}.")
    splits: dict[str, list[Row]] = {"train": [], "test": []}
    for row in rows:
        draw = int.from_bytes(hashlib.sha256(row.id.encode()).digest()[:8]) / 2**64
        splits["test" if draw < test_fraction else "train"].append(row)
    return splits if test_fraction else {"train": splits["train"]}
