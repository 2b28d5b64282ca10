"""The weights of other runs that a run starts from, and what becomes of its head."""

import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from scenic_video.checkpoints import restore_params
from scenic_video.config import ConfigError, build, resolve
from scenic_video.data.examples import LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.experiment import Experiment
from scenic_video.runs.metadata import labels_from_json
from scenic_video.runs.parts import build_model, build_task
from scenic_video.trust import check_run
from scenic_video.weights.heads import head_paths, keep_classes
from scenic_video.weights.initialize import LoadReport

HEADS = (None, "new", "by_name")
CURE = (
    "Set --config.init.head=new to draw the head anew, or --config.init.head=by_name to keep "
    "the classes of the same name."
)


class _Source(NamedTuple):
    """A run to start from: what it is called, its parameters, the model they are of, its labels,
    and the sizes of its inputs (`input_sizes`).

    Model, labels and sizes are None where the weights come from elsewhere.
    """

    name: str
    params: Any
    model: Any
    labels: LabelSpace | None
    inputs: dict[str, tuple[int, ...]] | None


def initial_weights(experiment: Experiment, drawn: Any) -> tuple[Any, str, str]:
    """The parameters that `init` makes of those that were `drawn`, the table that says how, and
    what the sources are called.

    `init.workdir` names a run, or several, whose weights `init.target` gets as `source`: those of
    the one, or a list; where it asks for `inputs` or `source_inputs`, it is told the sizes of what
    this run and the sources see. Fixed positions have no weights: those of another kind are
    refused, unless `init.allow_other_positions` is set. So is a head of other classes, unless
    `init.head` says what becomes of it: "new" leaves it as drawn, "by_name" takes the classes of
    the same name.
    """
    node = dict(experiment.config["init"])
    workdirs, may_differ = node.pop("workdir"), node.pop("allow_other_positions", False)
    head, trust = node.pop("head", None), node.pop("trust", False)
    if head not in HEADS:
        raise ConfigError(f"init.head is 'new', 'by_name' or None; got {head!r}.")
    several = not isinstance(workdirs, str)
    if missing := absent_sources(experiment.config["init"]):
        raise ConfigError("\n".join(missing))
    paths = [Path(workdir) for workdir in (workdirs if several else [workdirs])]
    sources = [_weights_of(path, trust=trust) for path in paths]
    if not may_differ:
        for source in sources:
            check_positions(source.name, source.model, getattr(experiment.task, "model", None))
    node = with_sizes(node, experiment.preprocessing, [source.inputs for source in sources])
    params = [source.params for source in sources]
    weights = params if several else params[0]
    if head is None:
        params, report = _with_old_head(experiment, node, sources, weights, drawn)
    else:
        of_head = _paths_of_head(experiment, drawn)
        params, report = _with_new_head(node, of_head, weights, drawn)
        if head == "by_name":
            params, words = _with_classes(experiment, sources, params, of_head)
            report = f"{report}\n{words}"
    return params, str(report), ", ".join(source.name for source in sources)


def check_positions(name: str, trained: Any, model: Any) -> None:
    """Refuses the weights called `name` if their model had other fixed positions than `model` has.

    Models without `fixed_positions` are not compared, and learned ones are weights themselves.
    """
    old, new = (getattr(x, "fixed_positions", None) for x in (trained, model))
    if old is None or new is None or old == new or None in (old.kind, new.kind):
        return
    raise ConfigError(
        f"{name} was trained with positions {old.kind!r}, the first patch at {old.first}; "
        f"this {type(model).__name__} has {new.kind!r}, the first patch at {new.first}. Set "
        "model.positions and model.classifier so that they agree, or "
        "init.allow_other_positions=True if you mean it."
    )


def absent_sources(init: Mapping[str, Any]) -> list[str]:
    """What is not there of the runs that a config's `init` starts from, in a sentence each."""
    workdirs = init.get("workdir") or ()
    return [
        f"There is no trained run {workdir!r}, which init.workdir names. Train it first, name "
        "another by --config.init.workdir=RUN, or start at random by --config.init.workdir=''."
        for workdir in ([workdirs] if isinstance(workdirs, str) else workdirs)
        if "://" not in workdir and not (Path(workdir) / "checkpoints").is_dir()
    ]


def _weights_of(workdir: Path, *, trust: bool) -> _Source:
    variables, meta = restore_params(workdir / "checkpoints")
    known = "config" in meta  # not of weights that come from elsewhere
    if known:
        check_run(
            meta["config"]["model"], run=workdir, trust=trust, flag="--config.init.trust=True"
        )
        check_run(
            meta.get("preprocessing") or {},
            run=workdir,
            trust=trust,
            flag="--config.init.trust=True",
        )
    labels = labels_from_json(meta["labels"]) if known else None
    model = build_model(meta["config"], labels) if labels is not None else None
    sizes = meta.get("preprocessing") and Preprocessing.from_dict(meta["preprocessing"]).input_sizes
    return _Source(f"{workdir} (step {meta['step']})", variables["params"], model, labels, sizes)


def with_sizes(
    node: Mapping[str, Any], preprocessing: Preprocessing, sources: Sequence[Any]
) -> dict[str, Any]:
    """`node` with the sizes of inputs that its target asks for, as far as they are known."""
    known: dict[str, Any] = {"inputs": preprocessing.input_sizes}
    if all(sources):
        known["source_inputs"] = sources if len(sources) > 1 else sources[0]
    asked = inspect.signature(resolve(node["target"])).parameters if "target" in node else {}
    return {name: sizes for name, sizes in known.items() if name in asked} | dict(node)


def _with_old_head(
    experiment: Experiment, node: Mapping[str, Any], sources: Sequence[_Source], weights, drawn
) -> tuple[Any, Any]:
    """A start that says nothing of the head: it may be loaded if its classes are the same."""
    differing = [words for source in sources if (words := _differing(experiment, source))]
    try:
        params, report = build(node, source=weights, target=drawn)
    except ValueError as error:
        if differing:
            error.add_note(f"The classes differ: {differing[0]}. {CURE}")
        raise
    if differing and isinstance(report, LoadReport):
        loaded = {row.path for row in report.rows if row.source is not None}
        if loaded & set(_paths_of_head(experiment, drawn)):
            raise ConfigError(f"This is the head of other classes: {differing[0]}. {CURE}")
    return params, report


def _with_new_head(
    node: Mapping[str, Any], of_head: Sequence[str], weights, drawn
) -> tuple[Any, Any]:
    """A start whose head, the parameters `of_head`, stays as it is drawn."""
    patterns = [re.escape(path) for path in of_head]
    if not patterns:
        raise ConfigError(
            "init.head is set, but no parameter of this model depends on its classes."
        )
    free = {name: [*node.get(name, ()), *patterns] for name in ("allow_random", "allow_unused")}
    return build(dict(node) | free, source=weights, target=drawn)


def _with_classes(
    experiment: Experiment, sources: Sequence[_Source], params: Any, of_head: Sequence[str]
) -> tuple[Any, str]:
    """`params` with the classes that the one source knows by the same name."""
    if len(sources) > 1 or sources[0].labels is None:
        raise ConfigError("init.head=by_name takes the classes of one run, in init.workdir.")
    classes = experiment.dataset.labels.classes
    params, kept = keep_classes(
        params,
        sources[0].params,
        paths=of_head,
        classes=classes,
        trained=sources[0].labels.classes,
    )
    total = sum(len(names) for names in classes.values())
    return params, f"{kept} of {total} classes of the head are kept by name, the others are new"


def _paths_of_head(experiment: Experiment, params: Any) -> tuple[str, ...]:
    """The parameters that are as wide as the classes, whatever the model calls them."""
    labels = experiment.dataset.labels
    if not labels.classes:
        return ()
    first = next(iter(labels.classes))
    more = {first: (*labels.classes[first], "one more")}
    wider = LabelSpace(dict(labels.classes) | more, labels.multilabel)
    task = build_task(experiment.config, wider, experiment.preprocessing)
    batch = example_batch(experiment.preprocessing, wider)
    return head_paths(params, jax.eval_shape(task.init, jax.random.key(0), batch)["params"])


def _differing(experiment: Experiment, source: _Source) -> str:
    """In words how the classes of a source are others than this run's; "" where they agree."""
    labels = experiment.dataset.labels
    if source.labels is None or dict(source.labels.classes) == dict(labels.classes):
        return ""
    return f"{source.name} knows {_words(source.labels)}, this run {_words(labels)}"


def _words(labels: LabelSpace) -> str:
    heads = (
        f"{len(names)} of {head!r} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for head, names in labels.classes.items()
    )
    return " and ".join(heads) or "none"
