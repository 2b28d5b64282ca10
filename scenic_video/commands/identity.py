"""What a run is, as JSON: labels, config, where it runs; and what a resumed one may change."""

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax

from scenic_video.data.examples import LabelSpace

MAY_CHANGE = ("mesh.", "evaluation.", "evaluators", "dataset")
MAY_CHANGE += ("trainer.log_every", "trainer.keep_last", "init.allow_other_positions")
MAY_CHANGE += tuple(
    f"input.{name}" for name in ("num_threads", "num_workers", "decode_timeout", "max_bad_share")
)


def labels_to_json(labels: LabelSpace) -> dict[str, Any]:
    return {"classes": {h: list(c) for h, c in labels.classes.items()}} | {
        "multilabel": labels.multilabel
    }


def labels_from_json(json: Mapping[str, Any]) -> LabelSpace:
    classes = {head: tuple(names) for head, names in json["classes"].items()}
    return LabelSpace(classes=classes, multilabel=json["multilabel"])


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The lines "field: old -> new" of all fields that a resumed run must not change."""
    a, b = _flatten(old), _flatten(new)
    return [
        f"{name}: {a.get(name)!r} -> {b.get(name)!r}"
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name) and not name.startswith(MAY_CHANGE)
    ]


def environment() -> dict[str, Any]:
    """Where this process runs: versions, devices, processes."""
    packages = ("scenic_video", "jax", "flax", "optax", "orbax-checkpoint", "grain", "av", "numpy")
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "devices": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
        "processes": jax.process_count(),
        **{name: _version(name) for name in packages},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed, run from its folder"


def _flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, Mapping):
        return {prefix[:-1]: list(tree) if isinstance(tree, tuple) else tree}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flatten(value, f"{prefix}{name}.")
    return flat
