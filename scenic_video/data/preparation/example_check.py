"""Checks the video, the files of modalities and the labels of one example."""

import dataclasses
import functools
from collections.abc import Mapping

from scenic_video.data.decoding.containers import naming_failures
from scenic_video.data.decoding.damage import damage_of, is_encrypted
from scenic_video.data.decoding.deadline import NoAnswer, with_deadline
from scenic_video.data.decoding.video_info import VideoInfo, inspect
from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.modality import HostModality, Modalities
from scenic_video.data.preparation.check_report import Finding
from scenic_video.data.provenance.content import content_of
from scenic_video.data.sources.agreement import check_labels
from scenic_video.printable import printable

DEADLINE = 60.0
"""Seconds that FFmpeg may take to open a file before it counts as unreadable."""
DECODING_DEADLINE = 3600.0
"""Seconds to decode every frame of a file."""


@dataclasses.dataclass(frozen=True, eq=False)
class CheckedExample:
    """A checked example; `info` is None if its video cannot be read.

    `example` has no video if it was given as bytes, and no labels if those are wrong, as described
    by `wrong_labels`. `modalities` states by name why the files of a modality cannot be used: "" if
    they can, None if there are none.
    """

    split: str
    example: Example
    content: str = ""
    info: VideoInfo | None = None
    error: str = ""
    damage: str = ""
    wrong_labels: str = ""
    modalities: Mapping[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def file(self) -> str:
        return str(self.example.video)

    def finding(self, what: str) -> Finding:
        file, what = printable(self.file), printable(what)
        return Finding(split=self.split, id=self.example.id, file=file, what=what)


class ExampleChecker:
    """Checks examples, and each file for damage only once."""

    def __init__(self, labels: LabelSpace, modalities: Modalities, *, decode_all: bool):
        self._labels, self._decode_all = labels, decode_all
        self._modalities = modalities
        self._checked_files: set[str] = set()

    def __call__(self, split: str, example: Example) -> CheckedExample:
        info, error, content, damage = None, "", "", ""
        found: dict[str, str | None] = dict.fromkeys(self._modalities)
        try:
            info = with_deadline(functools.partial(_inspect, example), DEADLINE)
            damage = self._damage(example)
        except UnreadableVideo as failure:  # FFmpeg did not hang, so the file can be opened again
            error = f"{failure}{' It is encrypted.' if is_encrypted(example.video) else ''}"
        except NoAnswer as failure:
            error = str(failure)
        else:
            content = content_of(example.video)
            found = {k: _problem_with(x, example, info) for k, x in self._modalities.items()}
        wrong_labels = _problem_with_labels(example, self._labels)
        return CheckedExample(
            split=split,
            example=dataclasses.replace(
                example,
                video=example.video if isinstance(example.video, str) else "",
                labels=dict.fromkeys(self._labels.classes, ()) if wrong_labels else example.labels,
            ),
            content=content,
            info=info if not error else None,
            error=error,
            damage=damage,
            wrong_labels=wrong_labels,
            modalities=found,
        )

    def _damage(self, example: Example) -> str:
        """The damage of a whole file, or with `decode_all` also of one with many examples."""
        is_part = example.start > 0 or example.end is not None
        file = example.video if isinstance(example.video, str) else example.id
        if file in self._checked_files or (is_part and not self._decode_all):
            return ""
        self._checked_files.add(file)
        name = None if isinstance(example.video, str) else example.id
        check = functools.partial(damage_of, example.video, name=name, decode_all=self._decode_all)
        with naming_failures(file):
            return with_deadline(check, DECODING_DEADLINE if self._decode_all else DEADLINE)


def _inspect(example: Example) -> VideoInfo:
    name = None if isinstance(example.video, str) else example.id
    info = inspect(example.video, name=name, start=example.start, end=example.end)
    ends = info.timestamps[[0, -1]]  # all of them would take too much memory
    return dataclasses.replace(info, timestamps=ends)


def _problem_with_labels(example: Example, labels: LabelSpace) -> str:
    """`CheckedExample.wrong_labels`."""
    try:
        check_labels(example, labels)
    except ValueError as failure:
        return str(failure)
    return ""


def _problem_with(modality: HostModality, example: Example, info: VideoInfo) -> str | None:
    """The value of `CheckedExample.modalities` for one modality."""
    if not modality.is_stored(example):
        return None
    try:
        with_deadline(functools.partial(modality.check, example, info), DEADLINE)
    except (UnreadableVideo, NoAnswer) as failure:
        return str(failure)
    return ""
