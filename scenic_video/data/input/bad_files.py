"""Lists unreadable videos, and limits their number in a run."""

import dataclasses
import json
from pathlib import Path

from scenic_video.data.examples import Example
from scenic_video.errors import UserError


@dataclasses.dataclass(frozen=True)
class BadFile:
    """An example whose video could not be read: `error` is the message of the decoder.

    `file` is None if the video was given as bytes. `index` is the example's position in its split.
    """

    id: str
    file: str | None
    error: str
    index: int

    @classmethod
    def of(cls, example: Example, *, index: int, error: Exception) -> "BadFile":
        file = example.video if isinstance(example.video, str) else None
        words = str(error).removeprefix(f"{file or example.id}: ")
        return cls(id=example.id, file=file, error=words, index=index)

    def __str__(self) -> str:
        return f"{self.id} ({self.file or 'encoded bytes'}): {self.error}"


class TooManyBadFiles(UserError):
    """More examples of the split could not be read than the run accepts."""


class BadFiles:
    """Counts the distinct unreadable examples of training, and lists them in a file.

    `path` gets one JSON line for each: id, file, error, index, and the first step with it. A
    resumed run continues the file. `max_share` is the accepted share of the `num_examples` of the
    split; more raise `TooManyBadFiles`. Each process needs a path of its own.
    """

    def __init__(self, path: str | Path, *, num_examples: int, max_share: float | int = 0.01):
        self._path = Path(path)
        self._num_examples = num_examples
        self._max_share = max_share
        self._found = {bad_file.id: bad_file for bad_file in _read(self._path)}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, bad_file: BadFile, *, step: int) -> None:
        """Lists `bad_file`, which was in the batch of `step`, unless it is listed already."""
        if bad_file.id in self._found:
            self._check_share()  # a repeated run stops where the first one did
            return
        self._found[bad_file.id] = bad_file
        line = dataclasses.asdict(bad_file) | {"step": step}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._check_share()

    def _check_share(self) -> None:
        if len(self) <= self._max_share * self._num_examples:
            return
        first = "\n".join(f"  {bad_file}" for bad_file in list(self._found.values())[:5])
        raise TooManyBadFiles(
            f"{len(self)} of {self._num_examples} examples ({len(self) / self._num_examples:.1%}) "
            f"could not be read; the run accepts {self._max_share:.1%}. The first:\n{first}\n"
            f"All are listed in {self._path}. Repair these files or leave them out of the "
            "dataset; to train without them anyway, raise --config.input.max_bad_share."
        )


def _read(path: Path) -> list[BadFile]:
    """The listed files. An incomplete last line of a killed run is removed."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        path.write_bytes(whole)
    return [_listed(path, number, line) for number, line in enumerate(whole.splitlines(), start=1)]


def _listed(path: Path, number: int, line: bytes) -> BadFile:
    try:
        fields = json.loads(line)
        return BadFile(**{name: fields[name] for name in BadFile.__dataclass_fields__})
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}, line {number}, is damaged: {line[:80]!r}. Delete this line; a video that "
            "cannot be read is listed again when it occurs again."
        ) from error
