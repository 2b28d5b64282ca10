"""Opens every video of a dataset and reports problems before training."""

import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from scenic_video.data.decoding.display_matrix import Orientation
from scenic_video.data.decoding.video_info import VideoInfo
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.input.modality import HostModality, Modalities, built
from scenic_video.data.preparation.check_report import CheckReport, Finding, SplitSummary, Spread
from scenic_video.data.preparation.example_check import CheckedExample, ExampleChecker
from scenic_video.data.sources.remarks import class_counts, label_remarks, training_split
from scenic_video.modalities.names import BUILT_IN

END_TOLERANCE = 0.5
"""Seconds by which an example may exceed its file, since annotations are rounded."""
AT_ONCE = 1024


def check(
    dataset: Dataset,
    *,
    num_workers: int | None = None,
    decode_all: bool = False,
    modalities: Modalities | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Opens every example's video in `num_workers` threads (None: one per core).

    The first frame is decoded, and some parts of examples that are whole files; the other packets
    are only listed and compared with the index of the file. `decode_all` decodes every frame of
    every file. Files of `modalities` (None: those of this package), such as optical flow, are
    checked in the same way, and must cover the example. A missing or unreadable file is reported,
    not an error. `progress` is called with the numbers of checked and of all examples.
    """
    total = sum(len(split) for split in dataset.splits.values())
    modalities = built(tuple(BUILT_IN), {}) if modalities is None else modalities
    all_checked = []
    with ThreadPoolExecutor(num_workers or os.cpu_count()) as pool:
        for checked in _check_all(dataset, modalities, pool, decode_all=decode_all):
            all_checked.append(checked)
            if progress is not None:
                progress(len(all_checked), total)
    return _report(dataset, modalities, all_checked)


def _check_all(
    dataset: Dataset, modalities: Modalities, pool: ThreadPoolExecutor, *, decode_all: bool
) -> Iterator[CheckedExample]:
    check_example = ExampleChecker(dataset.labels, modalities, decode_all=decode_all)
    for split, examples in dataset.splits.items():

        def check_one(index: int, split: str = split, examples: Sequence[Example] = examples):
            return check_example(split, examples[index])

        for begin in range(0, len(examples), AT_ONCE):  # limits the number of pending futures
            yield from pool.map(check_one, range(begin, min(begin + AT_ONCE, len(examples))))


def _report(
    dataset: Dataset, modalities: Modalities, all_checked: Sequence[CheckedExample]
) -> CheckReport:
    readable = [(checked, checked.info) for checked in all_checked if checked.info is not None]
    summaries = {
        split: _summarize(
            [checked for checked in all_checked if checked.split == split], dataset.labels
        )
        for split in dataset.splits
    }
    return CheckReport(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        splits=summaries,
        unreadable=[
            checked.finding(checked.error) for checked in all_checked if checked.info is None
        ],
        damaged=[checked.finding(checked.damage) for checked in all_checked if checked.damage],
        beyond_end=list(_beyond_end(readable)),
        without_audio=[
            checked.finding("no audio stream")
            for checked, info in readable
            if not info.has_audio and not _is_image(info)
        ],
        rotated=[
            checked.finding(str(info.orientation))
            for checked, info in readable
            if info.orientation != Orientation()
        ],
        variable_frame_rate=[
            checked.finding(f"{info.fps:.4g} frames per second on average")
            for checked, info in readable
            if info.is_variable_frame_rate
        ],
        without_usable={
            modality.title or name: list(_without_usable(name, modality, all_checked))
            for name, modality in modalities.items()
        },
        shared=list(_shared(all_checked)),
        contradictory=list(_contradictory(all_checked, dataset.labels)),
        wrong_labels=[
            checked.finding(checked.wrong_labels) for checked in all_checked if checked.wrong_labels
        ],
        unused_classes=_unused(summaries, dataset.labels),
        remarks=[*dataset.remarks, *_remarks(summaries)],
    )


def _is_image(info: VideoInfo) -> bool:
    """Whether it is a single frame, which has no audio."""
    return round(info.fps * info.duration) == 1


def _summarize(checked: Sequence[CheckedExample], labels: LabelSpace) -> SplitSummary:
    infos = [example.info for example in checked if example.info is not None]
    return SplitSummary(
        num_examples=len(checked),
        num_unreadable=len(checked) - len(infos),
        duration=_spread(info.duration for info in infos),
        short_side=_spread(min(info.height, info.width) for info in infos),
        frame_rate=_spread(info.fps for info in infos),
        histogram=class_counts((one.example for one in checked), labels),
    )


def _spread(numbers: Iterable[float]) -> Spread | None:
    values = sorted(round(float(number), 3) for number in numbers)
    return Spread(values[0], statistics.median(values), values[-1]) if values else None


def _beyond_end(readable: Iterable[tuple[CheckedExample, VideoInfo]]) -> Iterator[Finding]:
    for checked, info in readable:
        finish = float(info.timestamps[0]) + info.duration
        end = checked.example.end
        if end is not None and end - finish > END_TOLERANCE:
            yield checked.finding(f"ends at {end:g} s, but its file at {finish:.3f} s")


def _without_usable(
    name: str, modality: HostModality, all_checked: Sequence[CheckedExample]
) -> Iterator[Finding]:
    """If some examples have files of a modality, those without usable ones."""
    if all(checked.modalities[name] is None for checked in all_checked):
        return
    remedy = f"; {modality.remedy}" if modality.remedy else ""
    for checked in all_checked:
        problem = checked.modalities[name]
        if problem is None and checked.info is not None:
            yield checked.finding(f"it has none, but others do{remedy}")
        elif problem:
            yield checked.finding(problem)


def _shared(all_checked: Iterable[CheckedExample]) -> Iterator[Finding]:
    """Examples that are also in an earlier split, by file, content or id."""
    first: dict[tuple[str, str], CheckedExample] = {}
    for checked in all_checked:
        keys = {
            "the file": os.path.realpath(checked.file) if checked.file else "",
            "the content": checked.content,
            "the id": checked.example.id,
        }
        others = {what: first.setdefault((what, key), checked) for what, key in keys.items() if key}
        shared = [what for what, other in others.items() if other.split != checked.split]
        if shared:
            other = others[shared[0]]
            yield checked.finding(
                f"has {shared[0]} of {other.example.id!r} in the split {other.split!r}"
            )


def _contradictory(all_checked: Iterable[CheckedExample], labels: LabelSpace) -> Iterator[Finding]:
    """Examples with the same part of the same content as an earlier one, but other labels."""
    first: dict[tuple[str, float, float | None], CheckedExample] = {}
    for checked in all_checked:
        if not checked.content or checked.wrong_labels:
            continue
        earlier = first.setdefault(
            (checked.content, checked.example.start, checked.example.end), checked
        )
        for head, names in labels.classes.items():
            one, other = ([names[i] for i in x.example.labels[head]] for x in (checked, earlier))
            if sorted(one) != sorted(other):
                yield checked.finding(
                    f"is {_names(one)}, but {earlier.example.id!r} of the same content is "
                    f"{_names(other)}"
                )
                break


def _names(classes: Sequence[str]) -> str:
    return ", ".join(map(repr, classes)) or "nothing"


def _remarks(summaries: Mapping[str, SplitSummary]) -> list[str]:
    return label_remarks(
        {split: summary.histogram for split, summary in summaries.items()},
        num_examples=sum(summary.num_examples for summary in summaries.values()),
        train=training_split(summaries),
    )


def _unused(
    summaries: Mapping[str, SplitSummary], labels: LabelSpace
) -> dict[str, tuple[str, ...]]:
    unused = {
        head: tuple(
            name
            for name in names
            if not any(summary.histogram[head][name] for summary in summaries.values())
        )
        for head, names in labels.classes.items()
    }
    return {head: names for head, names in unused.items() if names}
