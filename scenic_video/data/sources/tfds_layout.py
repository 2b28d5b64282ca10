"""Finds the features of a TFDS dataset with the video, the id, the times and the labels."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.config import near
from scenic_video.data.examples import LabelSpace
from scenic_video.errors import UserError

FEATURES_FILE = "features.json"
CLASS_FIELDS = ("type", "pythonClassName", "python_class_name")
FEATURES = "tensorflow_datasets.core.features."
ID_FEATURES = ("video_id", "id", "file_name", "filename")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Names of features. `images` must be read with SkipDecoding, to stay encoded."""

    video: str
    images: tuple[str, ...]
    id: str | None
    has_times: bool
    labels: LabelSpace


def check_features(directory: Path) -> None:
    """Errors: UserError if the features of records are classes from outside TFDS, which would
    import them."""
    path = directory / FEATURES_FILE
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    for name in _classes_in(content):
        if not name.startswith(FEATURES):
            raise UserError(
                f"{path} names the class {name!r}. Data must not name code: only features of "
                f"TFDS itself ({FEATURES}...) are read."
            )


def _classes_in(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        named = (node.get(field) for field in CLASS_FIELDS)
        yield from (name for name in named if isinstance(name, str) and "." in name)
        for value in node.values():
            yield from _classes_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _classes_in(value)


def find_layout(info: Any, heads: str | Sequence[str] | None) -> Layout:
    """The layout of the dataset that a TFDS `DatasetInfo` describes.

    The video is the feature `video`, else the only scalar of bytes or the only Image. Heads are the
    ClassLabels in `heads`, by default all; a Sequence of them is multi-label. Errors: UserError
    for any other layout.
    """
    from tensorflow_datasets import features as kinds

    features = dict(sorted(info.features.items()))  # their order in TFDS changes from call to call
    images = tuple(name for name, kind in features.items() if isinstance(kind, kinds.Image))
    encoded = [*images, *(name for name, kind in features.items() if _is_bytes(kind, kinds))]
    if "video" not in encoded and len(encoded) != 1:
        kept = ", ".join(f"{name}: {type(kind).__name__}" for name, kind in features.items())
        raise UserError(
            f"{info.name} must have one feature with encoded bytes, an Image or a scalar Tensor "
            f"of bytes, but it has {kept}. Write video files as a dataset with "
            "`scenic-video data build`."
        )
    return Layout(
        video="video" if "video" in encoded else encoded[0],
        images=images,
        id=next((name for name in ID_FEATURES if isinstance(features.get(name), kinds.Text)), None),
        has_times="start" in features and "end" in features,
        labels=_label_space(info, features, heads, kinds),
    )


def _is_bytes(kind: Any, kinds: Any) -> bool:
    # Text is a Tensor of bytes too, but a subclass.
    tensor = type(kind) in (kinds.Tensor, kinds.Scalar)
    return tensor and kind.shape == () and np.dtype(kind.np_dtype).kind == "O"


def _label_space(
    info: Any, features: Mapping[str, Any], heads: str | Sequence[str] | None, kinds: Any
) -> LabelSpace:
    labels = {
        name: label for name, kind in features.items() if (label := _class_label(kind, kinds))
    }
    known = (info.metadata or {}).get("heads", list(labels))
    chosen = [heads] if isinstance(heads, str) else list(known if heads is None else heads)
    for head in chosen:
        if head not in labels:
            raise UserError(
                f"{info.name} has no class label {head!r}; it has {', '.join(known) or 'none'}"
                f"{near(head, known)}"
            )
    many = [head for head in chosen if isinstance(features[head], kinds.Sequence)]
    if many and many != chosen:
        raise UserError(
            f"{info.name}: {', '.join(many)} may have several classes, but other labels have one. "
            "Select labels of one kind with `heads`."
        )
    classes = {head: tuple(labels[head].names) for head in chosen}
    return LabelSpace(classes=classes, multilabel=bool(many))


def _class_label(kind: Any, kinds: Any) -> Any:
    """The ClassLabel of a feature that is one or a sequence of them."""
    inner = kind.feature if isinstance(kind, kinds.Sequence) else kind
    return inner if isinstance(inner, kinds.ClassLabel) else None
