"""scenic-video predict: classifies video files with a trained model."""

import argparse
import json
import sys
from io import TextIOBase
from typing import Any, cast

from scenic_video.commands import flags, public_weights
from scenic_video.commands.console import Terminal
from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.field_types import PositiveInt
from scenic_video.printable import printable

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
    num_unreadable = 0
    for video in arguments.videos:
        try:
            predictions = model.predict(video, views=arguments.views, top=arguments.top)
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


def _show_error(video: str, error: Exception, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"video": video, "error": str(error)}))
    else:
        print(printable(f"{video}: cannot be read: {error}"))
