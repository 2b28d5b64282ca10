"""A public checkpoint: where it is, and what its file does not state."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from scenic_video.errors import UserError
from scenic_video.layers.sizes import size

UNKNOWN = "not known"
ROUNDED = 0.02
"""The largest deviation from a rounded size, as a share of it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """Outputs that others state for an input.

    `input` is the address of an array, or says how the input is made. `logits` are the first of its
    output, which are right to `tolerance`; `source` says who states them.
    """

    input: str
    logits: tuple[float, ...]
    tolerance: float
    source: str
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublicCheckpoint:
    """A public file of weights. What is None is not known.

    `address` and `mirrors` are locations of the same file. `num_bytes` is exact, unless
    `is_rounded`. `sha256` may be only its first digits, 8 or more, which some publishers put in the
    name of a file. `labels` is a file of class names in this package. `model_size` is a name of
    `scenic_video.layers.sizes`, `model_fields` are further fields of the model, and `preprocessing`
    those of a `Preprocessing`. `results` are the publisher's.
    """

    name: str
    publisher: str
    address: str
    mirrors: tuple[str, ...] = ()
    num_bytes: int | None = None
    is_rounded: bool = False
    licence: str | None = None
    sha256: str | None = None
    labels: str | None = None
    preprocessing: Mapping[str, Any] | None = None
    model_size: str | None = None
    model_fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    reference: Reference | None = None
    results: str | None = None
    paper: str | None = None
    note: str = ""

    @property
    def file_name(self) -> str:
        """The name of the file at its address."""
        return unquote(re.split(r"[/:]", self.address)[-1])

    @property
    def web_address(self) -> str:
        """The address for a browser."""
        match = re.fullmatch(
            r"hf:(?P<repository>[^:@]+)(@(?P<revision>[^:]+))?:(?P<file>.+)", self.address
        )
        if match is None:
            return self.address
        revision = match["revision"] or "main"
        return f"https://huggingface.co/{match['repository']}/resolve/{revision}/{match['file']}"

    @property
    def model(self) -> dict[str, Any]:
        """The fields of the model that are known."""
        return {**(size(self.model_size) if self.model_size else {}), **self.model_fields}

    @property
    def size(self) -> str:
        """The size of the file in words."""
        if self.num_bytes is None:
            return UNKNOWN
        mega = self.num_bytes / 1e6
        words = f"{mega / 1000:.2f} GB" if mega >= 1000 else f"{mega:.0f} MB"
        return f"about {words}" if self.is_rounded else words

    def check_size(self, found: int) -> None:
        """Errors: UserError if this file has another number of bytes."""
        if self.num_bytes is None:
            return
        allowed = ROUNDED * self.num_bytes if self.is_rounded else 0
        if abs(found - self.num_bytes) > allowed:
            raise UserError(
                f"This file has {found:,} bytes, but {self.name} has {self.size}: it is "
                "incomplete, or was replaced at its source. Download it again."
            )

    def check_sha256(self, found: str) -> None:
        """Errors: UserError if this file has another SHA-256."""
        if self.sha256 is not None and not found.startswith(self.sha256):
            raise UserError(
                f"This file has the SHA-256 {found}, but {self.name} has {self.sha256}: it is "
                "damaged, or was replaced at its source. Download it again."
            )
