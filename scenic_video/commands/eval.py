"""scenic-video eval: evaluates one trained model, or several together, on a split."""

import argparse
from pathlib import Path
from typing import Any

import jax

from scenic_video.commands import distributed, flags, public_weights
from scenic_video.commands.console import Terminal
from scenic_video.commands.results import show_comparison, show_result
from scenic_video.config import ConfigError
from scenic_video.field_types import PositiveInt
from scenic_video.runs.evaluation import ensemble, modalities
from scenic_video.runs.evaluation.comparison import Comparison
from scenic_video.runs.evaluation.result_files import write
from scenic_video.runs.evaluation.trained_evaluation import evaluate

EXAMPLES = """\
examples:
  scenic-video eval --workdir=runs/quickstart --views=4x3
  scenic-video eval --workdir=runs/quickstart --data=videos/test.csv --split=test
  scenic-video eval --workdir=runs/audiovisual --modalities=all
  scenic-video eval --ensemble=runs/rgb,runs/audio:0.5
  scenic-video eval --weights=hf:google/vivit-b-16x2-kinetics400 --data=k400/val.csv --out=results
  scenic-video eval --weights=checkpoint --config=configs/vivit/kinetics400_b16x2.py --out=results

Writes WORKDIR/eval/<split>_<views>.json, and the logits of every video beside it as .npz. The
modalities of a model (A, V, AV) are rows of one table, in <split>_<views>_modalities.json, and so
are the members of an ensemble, in ensemble_<split>_<views>.json in the first run's folder.
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command `eval`."""
    parser = subparsers.add_parser(
        "eval", help="evaluate trained models", epilog=EXAMPLES, description=__doc__
    )
    runs = parser.add_mutually_exclusive_group(required=True)
    runs.add_argument("--workdir", type=flags.path, help="folder of a trained run")
    runs.add_argument(
        "--ensemble", metavar="RUN[:WEIGHT],...", help="folders of runs to average, by weight"
    )
    public_weights.add_flags(parser, runs)
    parser.add_argument("--views", help="clips x crops to average (default: the config's)")
    parser.add_argument("--split", help="split to evaluate (default: the config's)")
    parser.add_argument(
        "--data", help="dataset to use instead of the config's: manifest, folder or tfds:NAME"
    )
    parser.add_argument(
        "--batch-size",
        type=flags.number(PositiveInt),
        help="videos per batch, over all devices (default: the config's)",
    )
    parser.add_argument(
        "--modalities", help="print a row for each of these: rgb,audio,rgb+audio; or all"
    )
    parser.add_argument(
        "--average",
        choices=("probabilities", "logits"),
        help="what an ensemble averages (default: probabilities)",
    )
    parser.add_argument(
        "--out", type=flags.path, help="folder of the results (default: the run's eval)"
    )
    flags.add_trust(parser)
    distributed.add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    distributed.join(arguments)
    terminal = Terminal(quiet=jax.process_index() != 0)
    options: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("data", "split", "views", "batch_size")
    } | {"reporter": terminal}
    if arguments.ensemble:
        entries = [ensemble.Entry.parse(text) for text in arguments.ensemble.split(",")]
        average = arguments.average or "probabilities"
        comparison = ensemble.evaluate_ensemble(
            entries, average=average, trust=arguments.trust, **options
        )
        _finish(comparison, ensemble.path_of, arguments, Path(entries[0].run), terminal)
        return 0
    model = public_weights.load_model(arguments, terminal)
    if arguments.workdir:
        terminal.line(f"Evaluating {arguments.workdir} at step {model.meta['step']}")
    if arguments.modalities:
        comparison = modalities.evaluate_modalities(model, arguments.modalities, **options)
        _finish(comparison, modalities.path_of, arguments, _folder(arguments), terminal)
        return 0
    evaluation = evaluate(model, remap_labels=arguments.remap_labels, **options)
    if jax.process_index() == 0:
        prefix = f"{evaluation.dataset}_" if arguments.data else ""
        folder = arguments.out or _folder(arguments) / "eval"
        path = write(evaluation, f"{prefix}{evaluation.split}", folder)
        show_result(evaluation, evaluation.split, path, terminal)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuses flags that would have no effect."""
    if arguments.ensemble and arguments.modalities:
        raise ConfigError("--modalities evaluates one model: use it with --workdir.")
    if arguments.average and not arguments.ensemble:
        raise ConfigError("--average applies only to --ensemble.")
    if arguments.remap_labels and (arguments.ensemble or arguments.modalities):
        raise ConfigError("--remap-labels evaluates one model, with all its modalities.")
    if arguments.weights and not arguments.out:
        raise ConfigError("--weights has no folder of a run: give --out=FOLDER for the results.")
    if arguments.ensemble and arguments.config_arguments:
        raise ConfigError("--config applies only to --weights.")


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.workdir or arguments.out


def _finish(
    comparison: Comparison, path_of, arguments: argparse.Namespace, run: Path, terminal: Terminal
) -> None:
    if jax.process_index() == 0:
        folder = arguments.out or run / "eval"
        path = path_of(comparison, folder, with_data=bool(arguments.data))
        show_comparison(comparison, comparison.write(path), terminal)
