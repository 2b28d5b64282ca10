"""`--size`: the sizes of a model's inputs, where a checkpoint does not state them."""

import argparse
import re

SIZE = re.compile(r"(?P<modality>\w+)=(?P<size>\d+(x\d+)+)")


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Adds --size, which can be given several times."""
    parser.add_argument(
        "--size",
        type=_size,
        action="append",
        default=[],
        metavar="MODALITY=SIZE",
        help="input of the model if the checkpoint does not state it: rgb=FRAMESxROWSxCOLUMNS, "
        "audio=COLUMNSxBINS",
    )


def _size(text: str) -> tuple[str, tuple[int, ...]]:
    match = SIZE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted such as rgb=32x224x224")
    return match["modality"], tuple(map(int, match["size"].split("x")))
