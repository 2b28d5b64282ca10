"""The model card of a Hugging Face folder: what the checkpoint states, and what it does not."""

import json
from collections.abc import Mapping
from typing import Any

from scenic_video.number_formats import format_value
from scenic_video.weights.families.family import Weights

NOT_STATED = "Not stated by the checkpoint."
RECIPE = (
    "model",
    "task",
    "preprocessing",
    "augmentation",
    "input",
    "learning_rate",
    "optimizer",
    "trainer",
    "seed",
)
"""Nodes of a config that describe the training; others hold paths of a machine."""
SHOWN_CLASSES = 10


def model_card(weights: Weights, config: Mapping[str, Any]) -> str:
    """README.md for the hub, with its header. `config` is the config.json beside it."""
    run: Mapping[str, Any] = weights.run or {}
    clips = "num_frames" in config
    header = {
        "library_name": "transformers",
        "pipeline_tag": f"{'video' if clips else 'image'}-classification",
        "tags": ["scenic_video"],
    }
    lines = [f"{name}: {json.dumps(value)}" for name, value in header.items()]
    sections = {
        "Weights": _weights(weights),
        "Classes": _classes(weights),
        "Data": _data(run.get("dataset")),
        "Preprocessing": _fields(weights.preprocessing),
        "Recipe": _recipe(run.get("config")),
        "Results": weights.published.get("results") or _results(run),
        "Licence": weights.published.get("licence", NOT_STATED),
    }
    title = (config.get("architectures") or ["Model"])[0]
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items())
    return "\n".join(["---", *lines, "---", "", f"# {title}", "", body, ""])


def _weights(weights: Weights) -> str:
    count = sum(x.size for x in weights.params.values())
    words = f"{count:,} parameters, converted by scenic_video from {weights.family}."
    origin = (f"{name}: {weights.published.get(name, '')}" for name in ("name", "address", "paper"))
    lines = [line for line in origin if not line.endswith(": ")]
    return "\n".join([words, "", *(f"- {x}" for x in (*lines, *weights.notes))]).rstrip()


def _classes(weights: Weights) -> str:
    if not weights.labels:
        return f"{NOT_STATED} Outputs have placeholder names."
    lines = []
    for head, names in weights.labels.items():
        more = ", ..." if len(names) > SHOWN_CLASSES else ""
        lines.append(f"{len(names)} of `{head}`: {', '.join(names[:SHOWN_CLASSES])}{more}")
    return "\n\n".join(lines)


def _data(dataset: Mapping[str, Any] | None) -> str:
    if not dataset:
        return NOT_STATED
    sizes = ", ".join(f"{name} {count:,}" for name, count in dataset["num_examples"].items())
    return f"{dataset['name']}: {sizes} examples; fingerprint `{dataset['fingerprint']}`."


def _fields(fields: Mapping[str, Any] | None) -> str:
    return _json(fields) if fields else NOT_STATED


def _recipe(config: Mapping[str, Any] | None) -> str:
    return (
        _json({name: config[name] for name in RECIPE if name in config}) if config else NOT_STATED
    )


def _results(run: Mapping[str, Any]) -> str:
    if not run:
        return NOT_STATED
    step = f"Step {run['step']:,} of {run.get('num_steps', run['step']):,}."
    metrics = run.get("metrics") or {}
    if not metrics:
        return f"{step} No metrics were saved with it."
    rows = [f"| {name} | {format_value(value)} |" for name, value in metrics.items()]
    return "\n".join([step, "", "| metric | value |", "|---|---|", *rows])


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=2, default=str)}\n```"
