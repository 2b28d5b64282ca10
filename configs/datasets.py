"""The dataset nodes of published data sets, with the paths where recipes expect them.

Each is in data/<name>: the annotation files as published, and the videos or images in
data/<name>/videos. Override the place with --config.dataset.root=/disk/kinetics400, or use your own
manifest with --config.dataset=FOLDER. Skip videos that are no longer on the web with
--config.dataset.missing=skip.
"""

from typing import Any

READERS = "scenic_video.data.published"


def dataset(name: str) -> dict[str, Any]:
    """The dataset node of a published data set, such as "kinetics400" or "audioset_balanced"."""
    if name.startswith("kinetics"):
        return _node("kinetics", name, splits=_splits(name, "train.csv", "validate.csv"))
    if name.startswith("audioset"):
        return _audioset(name)
    folder = f"data/{name}"
    if name == "imagenet":
        target = "scenic_video.data.sources.datasets:class_folders"
        return {"target": target, "directory": folder, "name": name}
    fields: dict[str, dict[str, Any]] = {
        "moments_in_time": {
            "splits": _splits(name, "trainingSet.csv", "validationSet.csv"),
            "root": {"train": f"{folder}/training", "test": f"{folder}/validation"},
            "categories": f"{folder}/moments_categories.txt",
        },
        "epic_kitchens": {
            "splits": _splits(name, "EPIC_100_train.csv", "EPIC_100_validation.csv"),
            "noun_classes": f"{folder}/EPIC_100_noun_classes_v2.csv",
            "verb_classes": f"{folder}/EPIC_100_verb_classes.csv",
        },
        "something_something": {
            "splits": _splits(name, "train.json", "validation.json"),
            "labels": f"{folder}/labels.json",
        },
        "vggsound": {"annotations": f"{folder}/vggsound.csv"},
        "charades": {
            "splits": _splits(name, "Charades_v1_train.csv", "Charades_v1_test.csv"),
            "classes": f"{folder}/Charades_v1_classes.txt",
        },
        "avid": {"splits": _splits(name, "avid_train.json", "avid_val.json")},
    }
    if name not in fields:
        raise ValueError(f"There is no data set {name!r} here; there are {', '.join(fields)}.")
    return _node(name, name, **fields[name])


def _audioset(name: str) -> dict[str, Any]:
    """AudioSet, with one of its training sets: "balanced", "unbalanced", or "500k", the list of
    MBT (Nagrani et al.) in the same format."""
    train = name.removeprefix("audioset_")
    files = {"train": f"{train}_train_segments.csv", "test": "eval_segments.csv"}
    splits = {split: f"data/audioset/{file}" for split, file in files.items()}
    labels = "data/audioset/class_labels_indices.csv"
    return _node("audioset", name, splits=splits, labels=labels, root="data/audioset/videos")


def _node(reader: str, name: str, **fields: Any) -> dict[str, Any]:
    target = f"{READERS}.{reader}:{reader}"
    return {"target": target, "name": name, "root": f"data/{name}/videos"} | fields


def _splits(name: str, train: str, test: str) -> dict[str, str]:
    return {"train": f"data/{name}/{train}", "test": f"data/{name}/{test}"}
