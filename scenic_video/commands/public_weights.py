"""The flags --weights and --labels: a public checkpoint in place of a trained run."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.configs import load_file, load_overrides
from scenic_video.commands.console import Terminal
from scenic_video.commands.weights.progress import downloading
from scenic_video.config import ConfigError
from scenic_video.data.sources.class_names import read_class_names
from scenic_video.runs.evaluation.public_model import config_of, described, public_model
from scenic_video.runs.evaluation.trained_model import TrainedModel, load
from scenic_video.weights.reading import read_weights


def add_flags(parser: argparse.ArgumentParser, models: Any) -> None:
    """Adds --weights to the group `models`, of which one is given, and --labels to the parser."""
    models.add_argument(
        "--weights",
        metavar="LOCATION",
        help="a public checkpoint instead: a file, address, hf:org/name, or a name of `weights "
        "list`. What it does not state is set by --config.preprocessing.FIELD=VALUE",
    )
    parser.add_argument(
        "--labels",
        type=flags.path,
        metavar="FILE",
        help="class names of --weights, one per line, where the checkpoint does not state them",
    )
    parser.add_argument(
        "--multilabel",
        action="store_true",
        help="a clip of --weights may have several classes, each with a probability of its own",
    )
    parser.add_argument(
        "--remap-labels",
        action="store_true",
        help="match names of classes without case and punctuation, and leave out the others",
    )


def load_model(arguments: argparse.Namespace, terminal: Terminal) -> TrainedModel:
    """The model of --workdir, or of --weights, which is then described. Errors: UserError."""
    given = arguments.config_arguments
    if not arguments.weights:
        named = given[0].partition("=")[0] if given else ""
        named = "--multilabel" if arguments.multilabel else named
        if named or (arguments.labels and not arguments.remap_labels):
            raise ConfigError(
                f"{named or '--labels'} belongs to --weights; a run has a config and class names."
            )
        return load(arguments.workdir, trust=arguments.trust)
    with downloading(arguments.weights) as progress:
        weights = read_weights(arguments.weights, trust=arguments.trust, progress=progress)
    name, run = arguments.weights, load_file(given)
    config = load_overrides(config_of(weights, name=name, run=run), given)
    has_names = weights.labels is not None and arguments.remap_labels
    names = read_class_names(arguments.labels) if arguments.labels and not has_names else None
    model = public_model(
        weights, config, name=name, class_names=names, multilabel=arguments.multilabel
    )
    terminal.banner(f"Weights of {name}", described(model))
    return model
