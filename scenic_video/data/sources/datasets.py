"""The functions that a config's dataset node can name.

manifest        CSV, TSV or JSON lines, see `scenic_video.data.sources.manifest`
class_folders   directory/<split>/<class>/*.mp4 or directory/<class>/*.mp4; also images
tfds            TFDS datasets, ours or of the catalogue, see `tfds_records`

`scenic_video.data.published` has readers of published data sets.
"""

import dataclasses
import inspect
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.config import build, resolve
from scenic_video.data.examples import Dataset
from scenic_video.data.sources.agreement import checked
from scenic_video.data.sources.assembling import assemble
from scenic_video.data.sources.class_folders import class_folders, usual_order
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Heads, Row, columns_of, read_manifest
from scenic_video.data.sources.tables import SUFFIXES, lists_in, read_json
from scenic_video.data.sources.tfds_records import find_records, tfds
from scenic_video.data.synthetic_settings import SETTINGS_FILE
from scenic_video.errors import UserError
from scenic_video.trust import check_data

__all__ = ["class_folders", "manifest", "open_dataset", "tfds"]

FIELDS_FILE = "dataset.json"
PUBLISHED = (
    *("activitynet", "audioset", "avid", "charades", "epic_kitchens", "imagenet_real", "kinetics"),
    *("moments_in_time", "something_something", "vggsound"),
)
READERS = frozenset(
    [f"{__name__}:{reader}" for reader in ("manifest", "class_folders", "tfds")]
    + [f"scenic_video.data.published.{name}:{name}" for name in PUBLISHED]
    + [
        "scenic_video.data.published.lists:video_lists",
        "scenic_video.data.synthetic:read",
    ]
)
"""The readers that a file may name; none of them calls anything that its fields name."""


def open_dataset(path: str | os.PathLike | Mapping[str, Any], **options: Any) -> Dataset:
    """The dataset of a config node, or of a string, depending on what it names:

    "tfds:name"                  `tfds(name)`
    a .json                      the node in it, {"target": ..., ...}, one of `READERS`
    a .csv, .tsv or .jsonl       `manifest`; its only split is named after the file
    a folder of those            `manifest`; every file is a split (train.csv, test.csv, ...)
    ... with a dataset.json      `manifest` with the fields in it; paths are relative to the folder
    a folder of synthetic clips  `scenic_video.data.synthetic:read`
    a folder of records          `tfds`
    any other folder             `class_folders`

    `options` are further fields of that function.
    """
    node = dict(path) if isinstance(path, Mapping) else _node(os.fspath(path), options.get("heads"))
    if "multilabel" in options and _sets_multilabel(node):
        del options["multilabel"]
    dataset = checked(build({**node, **options}), maker=str(node["target"]))
    unread = _unread_lists(path, node)
    return dataclasses.replace(dataset, remarks=(*unread, *dataset.remarks))


def _unread_lists(
    path: str | os.PathLike | Mapping[str, Any], node: Mapping[str, Any]
) -> list[str]:
    """Files in a folder of manifests that might be manifests but are not read."""
    if isinstance(path, Mapping) or not os.path.isdir(path) or "splits" not in node:
        return []
    return [words] if (words := lists_in(Path(path))) else []


def _sets_multilabel(node: Mapping[str, Any]) -> bool:
    """Whether the reader determines by itself if examples have several labels; folders never do."""
    takes = inspect.signature(resolve(node["target"])).parameters
    return "multilabel" not in takes and node["target"] != f"{__name__}:class_folders"


def _node(name: str, heads: Heads | None) -> dict[str, Any]:
    """The config node of a string."""
    here = f"{__name__}:"
    if name.startswith("tfds:"):
        return {"target": here + "tfds", "name": name.removeprefix("tfds:")}
    path = Path(name).expanduser()
    if path.suffix == ".json":
        return _read_node(path)
    if path.suffix.lower() in SUFFIXES:
        return {"target": here + "manifest", "splits": {path.stem: str(path)}}
    if not path.is_dir():
        raise UserError(
            f"{name!r} is not a dataset; wanted 'tfds:<name>', a manifest ({', '.join(SUFFIXES)}), "
            "a config node (.json), or an existing folder. Paths are relative to the working "
            f"directory, {os.getcwd()}."
        )
    if (path / SETTINGS_FILE).exists():
        return {"target": "scenic_video.data.synthetic:read", "directory": str(path)}
    if find_records(path) is not None:
        return {"target": here + "tfds", "name": str(path)}
    if (path / FIELDS_FILE).exists():
        return _read_fields(path, heads) | {"target": here + "manifest"}
    if splits := _manifests_in(path):
        return {"target": here + "manifest", "splits": splits}
    return {"target": here + "class_folders", "directory": str(path)}


def _manifests_in(folder: Path) -> dict[str, str]:
    """The manifests of a folder by their stems, in the usual order of splits."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
    files = sorted(file for file in files if not file.name.startswith("."))
    splits: dict[str, str] = {}
    for file in sorted(files, key=lambda file: usual_order(file.stem)):
        if file.stem in splits:
            raise UserError(
                f"{splits[file.stem]} and {file.name} both define the split {file.stem!r}: splits "
                "are named after files, without suffix. Rename or remove one of them."
            )
        splits[file.stem] = str(file)
    return splits


def _read_node(path: Path) -> dict[str, Any]:
    node = read_json(path, dict)
    if "target" not in node:
        raise UserError(
            f"{path} is not a config node of a dataset: it has no 'target', such as "
            "'scenic_video.data.published.kinetics:kinetics'."
        )
    check_data(node, READERS, source=path)
    return node


def _read_fields(folder: Path, heads: Heads | None) -> dict[str, Any]:
    fields = read_json(folder / FIELDS_FILE, dict)
    check_data(fields, frozenset(), source=folder / FIELDS_FILE)
    splits = fields.get("splits")
    if not isinstance(splits, dict) or not all(isinstance(path, str) for path in splits.values()):
        raise UserError(
            f"{folder / FIELDS_FILE}: 'splits' must name a manifest for each split, as in "
            f"{{'train': 'train.csv'}}; got {splits!r}."
        )
    fields["splits"] = {split: str(folder / path) for split, path in splits.items()}
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
    """The dataset of one manifest per split, {"train": "train.csv", ...}.

    See `read_manifest` for the files, `root`, `heads` and `multilabel`. Class names are the
    sorted distinct labels of all splits, unless `classes` gives them (by head, as a list or a file
    with one name per line); then labels may be ids. Set `flip_safe=False` if a flipped clip may
    have another label.
    """
    rows = {
        split: read_manifest(path, root=root, heads=heads, multilabel=multilabel)
        for split, path in splits.items()
    }
    if not rows:
        raise UserError("manifest needs at least one split: {'train': 'train.csv'}.")
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


def _expect_files(rows: Sequence[Row], path: str) -> None:
    """Finds a wrong root by the first files; `check` looks at all of them."""
    first = list(itertools.islice(rows, 20))
    if not any(Path(row.path).exists() for row in first):
        slashes = " Separate folders in paths by /, not by \\."
        raise UserError(
            f"None of the first {len(first)} videos of {path} exists, for example {first[0].path}."
            f"{slashes if any(chr(92) in row.path for row in first) else ''} "
            "Paths are relative to the folder of the manifest; set `root` to change that."
        )
