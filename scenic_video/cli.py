"""The command line: `scenic-video COMMAND ...`.

Exit codes: 0 done, 1 failed, 2 the user's error, 75 stopped by SIGTERM with everything saved (the
same command goes on from there).
"""

import argparse
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scenic_video import disk_errors
from scenic_video.errors import RunFailed, UserError

VERBS = ("train", "eval", "predict", "data", "recipes")
NAME_CODE = ("train", "eval", "predict")
"""Commands whose configs name code, which may be in the working directory."""
NUMBER = re.compile(r"-\.?\d.*")

JAX_NOTE = "-" * 20
"""The start of JAX's note on shortened tracebacks."""

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
        raise UserError(f"{message}\nSee `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        with _working_folder_last(reads_code=bool(argv) and argv[0] in NAME_CODE):
            arguments = parse(argv)
            return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 1
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        from scenic_video.printable import printable

        print(f"error: {printable(_words(error))}", file=sys.stderr)
        return code


@contextlib.contextmanager
def _working_folder_last(*, reads_code: bool) -> Iterator[None]:
    """Searches the working directory for code last, so that an av.py or a queue.py there never
    shadows a library; child processes do the same."""
    path, safe = list(sys.path), os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    root = str(Path(__file__).resolve().parents[1])  # of a clone that is not installed
    last = [root, os.getcwd()] if reads_code else [root]
    sys.path += [folder for folder in dict.fromkeys(last) if folder not in path]
    try:
        yield
    finally:
        sys.path[:] = path
        del os.environ["PYTHONSAFEPATH"]
        os.environ |= {} if safe is None else {"PYTHONSAFEPATH": safe}


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of a command; those that start with --config are in `config_arguments`."""
    parser = Parser(prog="scenic-video", description=DESCRIPTION, epilog=EXAMPLES)
    if argv and not argv[0].startswith("-") and argv[0] not in VERBS:
        from scenic_video.config import near

        parser.error(f"{argv[0]!r} is none of {', '.join(VERBS)}{near(argv[0], list(VERBS))}")
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
    from scenic_video.config import near

    reads_config = hasattr(arguments, "workdir") and arguments.verb == "train"
    taken = []
    for argument in rest:
        is_value = taken and (not argument.startswith("-") or NUMBER.fullmatch(argument))
        is_config = argument.startswith("--config") or is_value
        if not (reads_config and is_config):
            known = ["--config", *(f"--{name.replace('_', '-')}" for name in vars(arguments))]
            name = argument.split("=")[0]
            raise UserError(
                f"`scenic-video {arguments.verb}` does not know {argument!r}{near(name, known)}"
            )
        taken.append(argument)
    return taken


def exit_code(error: Exception) -> int | None:
    """The exit code of an error with a complete message; None for a bug, which keeps its
    traceback."""
    if isinstance(error, OSError):
        return disk_errors.exit_code(error)
    return error.exit_code if isinstance(error, UserError | RunFailed) else None


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"There is no file {str(error.filename)!r}."
    said = disk_errors.words(error) if isinstance(error, OSError) else str(error)
    notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith(JAX_NOTE)]
    return "\n".join([said, *notes])


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working folder, which `python -m` puts first
    sys.exit(main())
