"""The command line: `scenic-video COMMAND ...`.

Exit codes: 0 done, 1 failed, 2 user error, 75 stopped by SIGTERM after saving (the same command
continues from there).
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

COMMANDS = ("train", "eval", "predict", "diagnose", "data", "weights", "recipes")
LOAD_CODE = ("train", "eval", "predict", "diagnose", "weights")
"""Commands that import the code a config names, which may be in the working directory."""
NUMBER = re.compile(r"-\.?\d.*")

JAX_NOTE = "-" * 20
"""The start of JAX's note on shortened tracebacks."""

DESCRIPTION = "Train, evaluate and use video transformers, from plain video files."
EXAMPLES = """\
examples:
  scenic-video train --config=configs/quickstart.py --workdir=runs/quickstart
  scenic-video eval --workdir=runs/quickstart --views=4x3
  scenic-video predict --workdir=runs/quickstart clip.mp4
  scenic-video diagnose --workdir=runs/quickstart
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
        with _working_directory_last(loads_code=bool(argv) and argv[0] in LOAD_CODE):
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

        print(f"error: {printable(_message(error))}", file=sys.stderr)
        return code


@contextlib.contextmanager
def _working_directory_last(*, loads_code: bool) -> Iterator[None]:
    """Searches the working directory for code last, so that an av.py or a queue.py there never
    shadows a library; child processes do the same."""
    path, safe = list(sys.path), os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    root = str(Path(__file__).resolve().parents[1])  # of a clone that is not installed
    last = [root, os.getcwd()] if loads_code else [root]
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
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        from scenic_video.config import near

        parser.error(
            f"There is no command {argv[0]!r} among {', '.join(COMMANDS)}{near(argv[0], COMMANDS)}"
        )
    subparsers = parser.add_subparsers(
        dest="command", metavar="|".join(COMMANDS), required=True, parser_class=Parser
    )
    for command in COMMANDS:
        if not argv or argv[0] == command or argv[0] not in COMMANDS:
            importlib.import_module(f"scenic_video.commands.{command}").add_parser(subparsers)
    config_arguments, argv = _config_arguments(argv)
    arguments, rest = parser.parse_known_args(argv)
    arguments.config_arguments = config_arguments + _take_config_arguments(rest, arguments)
    return arguments


def _config_arguments(argv: list[str]) -> tuple[list[str], list[str]]:
    """The arguments `--config...=VALUE` of a command with positional arguments, and the others;
    argparse would take values with spaces for positional ones."""
    if not argv or argv[0] not in ("eval", "predict"):
        return [], argv
    taken = [x for x in argv if re.match(r"--config(\.[\w.]+)?=", x)]
    return taken, [x for x in argv if x not in taken]


def _take_config_arguments(rest: list[str], arguments: argparse.Namespace) -> list[str]:
    from scenic_video.config import near

    takes_config = getattr(arguments, "takes_config", False)
    taken = []
    for argument in rest:
        is_value = taken and (not argument.startswith("-") or NUMBER.fullmatch(argument))
        is_config = argument.startswith("--config") or is_value
        if not (takes_config and is_config):
            known = ["--config", *(f"--{name.replace('_', '-')}" for name in vars(arguments))]
            name = argument.split("=")[0]
            raise UserError(
                f"`scenic-video {arguments.command}` has no argument {argument!r}"
                f"{near(name, known)}"
            )
        taken.append(argument)
    return taken


def exit_code(error: Exception) -> int | None:
    """The exit code of an error with a complete message; None for a bug, which keeps its
    traceback."""
    if isinstance(error, OSError):
        return disk_errors.exit_code(error)
    return error.exit_code if isinstance(error, UserError | RunFailed) else None


def _message(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"There is no file {str(error.filename)!r}."
    message = disk_errors.describe(error) if isinstance(error, OSError) else str(error)
    notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith(JAX_NOTE)]
    return "\n".join([message, *notes])


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory, which `python -m` puts first
    sys.exit(main())
