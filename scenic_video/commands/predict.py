"""scenic-video predict: classifies video files with a trained model."""

import argparse
import json
import sys
from collections.abc import Mapping
from io import TextIOBase
from typing import Any, cast

from scenic_video.commands import flags, public_weights
from scenic_video.commands.console import Terminal
from scenic_video.config import ConfigError
from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.data.sources.class_names import read_class_names, same_names
from scenic_video.field_types import PositiveInt
from scenic_video.printable import printable
from scenic_video.runs.evaluation.trained_model import TrainedModel

EXAMPLES = """\
examples:
  scenic-video predict --workdir=runs/quickstart clip.mp4
  scenic-video predict --workdir=runs/quickstart --views=4x3 --top=3 --json clips/*.mp4
  scenic-video predict --weights=hf:google/vivit-b-16x2-kinetics400 clip.mp4
  scenic-video predict --weights=vit.npz --labels=names.txt --config.preprocessing.crop=224 a.mp4
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command `predict`."""
    parser = subparsers.add_parser(
        "predict", help="classify video files", epilog=EXAMPLES, description=__doc__
    )
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="any file FFmpeg can decode")
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--workdir", type=flags.path, help="folder of a trained run")
    public_weights.add_flags(parser, models)
    parser.add_argument("--views", default="4x3", help="clips x crops to average (default: 4x3)")
    parser.add_argument(
        "--top",
        type=flags.number(PositiveInt),
        default=5,
        help="number of classes to print (default: 5)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per video")
    flags.add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the predictions; exit code 1 if some video could not be read."""
    output = cast(TextIOBase, sys.stderr if arguments.json else sys.stdout)
    model = public_weights.load_model(arguments, Terminal(output))
    names = _names_of_file(arguments, model, Terminal(output))
    num_unreadable = 0
    for video in arguments.videos:
        try:
            predictions = _predict(video, arguments, model, names)
        except UnreadableVideo as error:
            num_unreadable += 1
            _show_error(video, error, as_json=arguments.json)
            continue
        if arguments.json:
            print(
                json.dumps({"video": video, "views": arguments.views, "predictions": predictions})
            )
        else:
            rows = [
                (head, name, f"{probability:.1%}")
                for head, classes in predictions.items()
                for name, probability in classes
            ]
            Terminal().table(video, ("head", "class", "probability"), rows)
    return 1 if num_unreadable else 0


Names = Mapping[str, str]
"""Class of the model -> its name in the file of --labels."""


def _names_of_file(
    arguments: argparse.Namespace, model: TrainedModel, terminal: Terminal
) -> Names | None:
    """The classes to print with --remap-labels, and their names; None for all, as they are."""
    if not arguments.remap_labels:
        return None
    if not arguments.labels:
        raise ConfigError("--remap-labels needs --labels=FILE, the class names to print.")
    wanted = read_class_names(arguments.labels)
    own = [name for names in model.labels.classes.values() for name in names]
    found = same_names(own, wanted)
    if missing := [name for name in wanted if name not in found.values()]:
        terminal.line(f"The model lacks {len(missing)} classes of --labels: {', '.join(missing)}.")
    if not found:
        raise ConfigError("The model has none of the classes of --labels.")
    return found


def _predict(
    video: str, arguments: argparse.Namespace, model: TrainedModel, names: Names | None
) -> dict[str, list[tuple[str, float]]]:
    """Head -> the most likely classes of those to print."""
    if names is None:
        return model.predict(video, views=arguments.views, top=arguments.top)
    most = max(model.labels.num_classes.values())
    every = model.predict(video, views=arguments.views, top=most)
    return {
        head: [(names[x], p) for x, p in likely if x in names][: arguments.top]
        for head, likely in every.items()
    }


def _show_error(video: str, error: Exception, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"video": video, "error": str(error)}))
    else:
        print(printable(f"{video}: cannot be read: {error}"))
