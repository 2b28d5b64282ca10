"""The command line: `scenic-video VERB ...`.

Exit codes: 0 done, 1 failed, 2 the user's error, 75 stopped by SIGTERM with everything saved (the
same command goes on from there).
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

WRONG_PATHS = (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError)
VERBS = ("train", "eval", "predict", "data", "recipes")

JAX_NOTE = "-" * 20
"""How what JAX says of its shortened tracebacks starts."""

DESCRIPTION = "Train, evaluate and use video transformers, from plain video files."
EXAMPLES = """\
examples:
  scenic-video train --config=configs/quickstart.py --workdir=runs/quickstart
  scenic-video eval --workdir=runs/quickstart --views=4x3
  scenic-video predict --workdir=runs/quickstart clip.mp4
  scenic-video data check videos/train.csv
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that names the nearest flag when one is misspelt."""

    def __init__(self, **kwargs):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str):
        from scenic_video.config import ConfigError

        raise ConfigError(f"{message}\nSee `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    # Configs name projects.* and configs.* of the clone that one works in.
    sys.path.insert(0, os.getcwd())
    try:
        arguments = parse(sys.argv[1:] if argv is None else list(argv))
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 1
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        print(f"error: {_words(error)}", file=sys.stderr)
        return code


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of a verb; what starts with --config is left in `config_arguments`."""
    parser = Parser(prog="scenic-video", description=DESCRIPTION, epilog=EXAMPLES)
    subparsers = parser.add_subparsers(
        dest="verb", metavar="|".join(VERBS), required=True, parser_class=Parser
    )
    for verb in VERBS:
        if not argv or argv[0] == verb or argv[0] not in VERBS:
            importlib.import_module(f"scenic_video.commands.{verb}").add_parser(subparsers)
    arguments, rest = parser.parse_known_args(argv)
    arguments.config_arguments = _take_config_arguments(rest, arguments)
    return arguments


def _take_config_arguments(rest: list[str], arguments: argparse.Namespace) -> list[str]:
    from scenic_video.config import ConfigError, near

    reads_config = hasattr(arguments, "workdir") and arguments.verb == "train"
    taken = []
    for argument in rest:
        is_config = argument.startswith("--config") or (taken and not argument.startswith("-"))
        if not (reads_config and is_config):
            known = ["--config", *(f"--{name.replace('_', '-')}" for name in vars(arguments))]
            name = argument.split("=")[0]
            raise ConfigError(
                f"`scenic-video {arguments.verb}` does not know {argument!r}{near(name, known)}"
            )
        taken.append(argument)
    return taken


def exit_code(error: Exception) -> int | None:
    """The code of an error whose message says it all; None for a bug, which keeps its traceback.

    A ValueError is the user's to mend where our own code raised it, and a bug where it comes from
    the depths of a library.
    """
    from scenic_video.loop import NonFiniteLoss

    if isinstance(error, NonFiniteLoss):
        return 1
    if isinstance(error, WRONG_PATHS):
        return 2
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    package = Path(__file__).resolve().parent
    own = (package, package.parent / "projects", package.parent / "configs")
    is_ours = any(raised_in.is_relative_to(folder) for folder in own)
    return 2 if isinstance(error, ValueError) and is_ours else None


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"There is no file {str(error.filename)!r}."
    notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith(JAX_NOTE)]
    return "\n".join([str(error), *notes])


if __name__ == "__main__":
    sys.exit(main())
