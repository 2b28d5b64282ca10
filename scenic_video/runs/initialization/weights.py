"""The weights that a run starts from, of other runs or of files, and what becomes of its head."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from scenic_video.config import ConfigError, build
from scenic_video.data.examples import LabelSpace
from scenic_video.data.sources.class_names import with_head_of
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.experiment import Experiment
from scenic_video.runs.initialization.absent_sources import absent_sources
from scenic_video.runs.initialization.sources import Source, read_sources
from scenic_video.runs.options import InitOptions
from scenic_video.runs.parts import build_task
from scenic_video.weights.heads import head_paths, keep_classes
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.resampling import Resampling

ADVICE = (
    "Set --config.init.head=new to initialise the head randomly, or --config.init.head=by_name to "
    "keep the classes with the same names."
)
OWN_FIELDS = frozenset(field.name for field in dataclasses.fields(InitOptions))
"""The fields of `init` that are not those of its target."""


@dataclasses.dataclass(frozen=True)
class InitialWeights:
    """The parameters that a run starts from, their origins, and the names of the sources.

    `remarks` are sentences on how sources were read and how they differ from this run.
    """

    params: Any
    report: LoadReport
    sources: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The table of the origins, the remarks and warnings."""
        warnings = [f"WARNING: {words}" for words in self.report.warnings]
        return "\n".join([str(self.report), *self.remarks, *warnings])

    def to_json(self) -> dict[str, Any]:
        return {
            "sources": list(self.sources),
            **self.report.to_json(),
            "remarks": list(self.remarks),
        }


def initial_weights(experiment: Experiment, random: Any) -> InitialWeights:
    """What a run starts from.

    `random` are randomly initialised parameters. `init.workdir` or `init.path` names the source, or
    several, whose weights `init.target` transfers: see `transferred`. A source with other fixed
    positions is refused unless `init.allow_other_positions` is set, and a head of other classes
    unless `init.head` says what becomes of it, see `InitOptions`.
    """
    init = experiment.config["init"]
    options = _options(init)
    if missing := absent_sources(init):
        raise ConfigError("\n".join(missing))
    sources = read_sources(options)
    model = getattr(experiment.task, "model", None)
    if not options.allow_other_positions:
        for source in sources:
            check_positions(source.weights.name, source.model, model)
    inputs = experiment.preprocessing.input_sizes
    target = ModelWeights(random, inputs, name="this model")
    kept = []
    if options.head is None:
        params, report = _with_old_head(experiment, sources, target)
    else:
        paths = _paths_of_head(experiment, random)
        params, report = _with_new_head(init, paths, sources, target)
        if options.head == "by_name":
            params, words = _with_classes(experiment, sources, params, paths)
            kept.append(words)
    remarks = [x for source in sources for x in source.remarks(experiment.preprocessing, model)]
    names = tuple(source.weights.name for source in sources)
    return InitialWeights(params, report, names, (*kept, *remarks))


def transferred(
    init: Mapping[str, Any], *, target: ModelWeights, sources: Sequence[ModelWeights]
) -> tuple[Any, LoadReport]:
    """The parameters that `init.target` makes of `target` and `sources`, and their origins.

    It is called with the keywords `target`, `source` and the other fields of `init`; `source` is
    a list if `init.workdir` or `init.path` names several.
    """
    options = _options(init)
    several = not isinstance(options.sources, str)
    sources = _with_grids(sources, options)
    resampling = Resampling(options.positions_by, options.patches)
    target = dataclasses.replace(target, resampling=resampling)
    node = {name: value for name, value in init.items() if name not in OWN_FIELDS}
    return build(node, source=list(sources) if several else sources[0], target=target)


def _options(init: Mapping[str, Any]) -> InitOptions:
    return InitOptions(**{name: value for name, value in init.items() if name in OWN_FIELDS})


def _with_grids(sources: Sequence[ModelWeights], options: InitOptions) -> list[ModelWeights]:
    """The sources with the grids that `init.source_grid` states: one for all, or one each."""
    grid: Any = options.source_grid
    if grid is None:
        return list(sources)
    one = isinstance(options.sources, str) or isinstance(grid[0], int)
    grids = [grid] * len(sources) if one else grid
    if len(grids) != len(sources):
        raise ConfigError(
            f"init.source_grid has {len(grids)} entries, but there are {len(sources)} sources. "
            "Give (rows, columns) for all of them, or one pair each."
        )
    pairs = zip(sources, grids, strict=True)
    return [dataclasses.replace(source, grid=grid) for source, grid in pairs]


def check_positions(name: str, trained: Any, model: Any) -> None:
    """Refuses the weights `name` of the model `trained` if its fixed positions are not those of
    `model`, since no parameter shows the difference.

    Models without `fixed_positions` are not compared, and learned positions are parameters.
    """
    old, new = (getattr(x, "fixed_positions", None) for x in (trained, model))
    if old is None or new is None or old == new or None in (old.kind, new.kind):
        return
    raise ConfigError(
        f"{name} was trained with positions {old.kind!r}, the first patch at {old.first}; "
        f"this {type(model).__name__} has {new.kind!r}, the first patch at {new.first}. Set "
        "model.positions and model.classifier so that they agree, or "
        "init.allow_other_positions=True to use the weights nevertheless."
    )


def _with_old_head(
    experiment: Experiment, sources: Sequence[Source], target: ModelWeights
) -> tuple[Any, LoadReport]:
    """Without `init.head`: a head may be loaded only if its classes are known to be the same."""
    differing = [words for source in sources if (words := _differing(experiment, source))]
    try:
        params, report = _from_all(experiment.config["init"], sources, target)
    except ValueError as error:
        if differing:
            error.add_note(f"The classes differ: {differing[0]}. {ADVICE}")
        elif any(path in str(error) for path in _paths_of_head(experiment, target.params)):
            error.add_note(f"The head may be one of other classes. {ADVICE}")
        raise
    unnamed = [source.weights.name for source in sources if source.labels is None]
    if not (differing or unnamed):
        return params, report
    loaded = {row.path for row in report.rows if row.source is not None}
    if loaded & set(_paths_of_head(experiment, target.params)):
        if differing:
            raise ConfigError(f"The head is one of other classes: {differing[0]}. {ADVICE}")
        raise ConfigError(
            f"{unnamed[0]} does not name its classes, so its head may be one of others. Set "
            "--config.init.head=new to initialise the head randomly, or name the classes of a file "
            "by --config.init.labels=FILE."
        )
    return params, report


def _with_new_head(
    init: Mapping[str, Any], paths: Sequence[str], sources: Sequence[Source], target: ModelWeights
) -> tuple[Any, LoadReport]:
    """The head, the parameters `paths`, is randomly initialised."""
    patterns = [re.escape(path) for path in paths]
    if not patterns:
        raise ConfigError(
            "init.head is set, but no parameter of this model depends on its classes."
        )
    lists = ("allow_random", "allow_unused")
    more = {name: [*init.get(name, ()), *patterns] for name in lists}
    return _from_all(dict(init) | more, sources, target)


def _from_all(
    init: Mapping[str, Any], sources: Sequence[Source], target: ModelWeights
) -> tuple[Any, LoadReport]:
    return transferred(init, target=target, sources=[source.weights for source in sources])


def _with_classes(
    experiment: Experiment, sources: Sequence[Source], params: Any, paths: Sequence[str]
) -> tuple[Any, str]:
    """`params` with the classes of the head `paths` that the one source has by the same name."""
    if len(sources) > 1 or sources[0].labels is None:
        raise ConfigError(
            "init.head=by_name needs one run (init.workdir) or file (init.path) that names its "
            f"classes; got {len(sources)}, of which "
            f"{sum(source.labels is not None for source in sources)} name them. The classes of a "
            "file are named by --config.init.labels=FILE, with one name per line."
        )
    labels = experiment.dataset.labels
    classes = labels.classes
    params, kept = keep_classes(
        params,
        sources[0].weights.params,
        paths=paths,
        classes=classes,
        trained=with_head_of(sources[0].labels, labels).classes,
    )
    total = sum(len(names) for names in classes.values())
    return params, f"{kept} of {total} classes of the head are kept by name, the others are new"


def _paths_of_head(experiment: Experiment, params: Any) -> tuple[str, ...]:
    """The parameters whose shapes depend on the number of classes, whatever their names."""
    labels = experiment.dataset.labels
    if not labels.classes:
        return ()
    first = next(iter(labels.classes))
    more = {first: (*labels.classes[first], "one more")}
    wider = LabelSpace(dict(labels.classes) | more, labels.multilabel)
    task = build_task(experiment.config, wider, experiment.preprocessing)
    batch = example_batch(experiment.preprocessing, wider)
    return head_paths(params, jax.eval_shape(task.init, jax.random.key(0), batch)["params"])


def _differing(experiment: Experiment, source: Source) -> str:
    """How the classes of a source differ from this run's; "" if they do not."""
    labels = experiment.dataset.labels
    if source.labels is None:
        return ""
    if dict(with_head_of(source.labels, labels).classes) == dict(labels.classes):
        return ""
    return f"{source.weights.name} has {_words(source.labels)}, this run {_words(labels)}"


def _words(labels: LabelSpace) -> str:
    heads = (
        f"{len(names)} of {head!r} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for head, names in labels.classes.items()
    )
    return " and ".join(heads) or "none"
