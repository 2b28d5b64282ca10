"""Opens every video of a dataset and counts what training would stumble over."""

import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from scenic_video.data.decoding.display_matrix import Orientation
from scenic_video.data.decoding.video_reader import VideoInfo
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.preparation.check_report import Finding, Report, SplitSummary, Spread
from scenic_video.data.preparation.example_check import Look, Seen
from scenic_video.data.sources.remarks import class_counts, label_remarks, learned_split

END_TOLERANCE = 0.5
"""Seconds by which an example may overrun its file: annotations are rounded."""
AT_ONCE = 1024


def check(
    dataset: Dataset,
    *,
    num_workers: int | None = None,
    decode_all: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Opens every example's video in `num_workers` threads (None: one a core) and reports.

    The first picture is decoded, and some stretches of an example that is a whole file; the rest is
    only listed, and compared with what the file's index promises. `decode_all` decodes every frame
    of every file. Where there is optical flow, it is looked at likewise, and whether it covers the
    example. A file that is missing or cannot be read is no error here but a line of the report.
    `progress` is called with the number of examples seen and their total.
    """
    total = sum(len(split) for split in dataset.splits.values())
    all_seen = []
    with ThreadPoolExecutor(num_workers or os.cpu_count()) as pool:
        for seen in _look_at_all(dataset, pool, decode_all=decode_all):
            all_seen.append(seen)
            if progress is not None:
                progress(len(all_seen), total)
    return _report(dataset, all_seen)


def _look_at_all(dataset: Dataset, pool: ThreadPoolExecutor, *, decode_all: bool) -> Iterator[Seen]:
    look = Look(dataset.labels, decode_all=decode_all)
    for split, examples in dataset.splits.items():

        def look_at(index: int, split: str = split, examples: Sequence[Example] = examples):
            return look(split, examples[index])

        for begin in range(0, len(examples), AT_ONCE):  # a future for each at once would add up
            yield from pool.map(look_at, range(begin, min(begin + AT_ONCE, len(examples))))


def _report(dataset: Dataset, all_seen: Sequence[Seen]) -> Report:
    readable = [(seen, seen.info) for seen in all_seen if seen.info is not None]
    summaries = {
        split: _summarize([seen for seen in all_seen if seen.split == split], dataset.labels)
        for split in dataset.splits
    }
    return Report(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        splits=summaries,
        unreadable=[seen.finding(seen.error) for seen in all_seen if seen.info is None],
        damaged=[seen.finding(seen.damage) for seen in all_seen if seen.damage],
        beyond_end=list(_beyond_end(readable)),
        without_audio=[
            seen.finding("no audio stream")
            for seen, info in readable
            if not info.has_audio and not _is_picture(info)
        ],
        rotated=[
            s.finding(str(info.orientation))
            for s, info in readable
            if info.orientation != Orientation()
        ],
        variable_frame_rate=[
            seen.finding(f"{info.fps:.4g} frames a second on average")
            for seen, info in readable
            if info.is_variable_frame_rate
        ],
        without_usable_flow=list(_without_usable_flow(all_seen)),
        shared=list(_shared(all_seen)),
        contradictory=list(_contradictory(all_seen, dataset.labels)),
        wrong_labels=[seen.finding(seen.wrong_labels) for seen in all_seen if seen.wrong_labels],
        unused_classes=_unused(summaries, dataset.labels),
        remarks=[*dataset.remarks, *_remarks(summaries)],
    )


def _is_picture(info: VideoInfo) -> bool:
    """Whether it is a single frame, of which no one expects to hear anything."""
    return round(info.fps * info.duration) == 1


def _summarize(seen: Sequence[Seen], labels: LabelSpace) -> SplitSummary:
    infos = [example.info for example in seen if example.info is not None]
    return SplitSummary(
        num_examples=len(seen),
        num_unreadable=len(seen) - len(infos),
        duration=_spread(info.duration for info in infos),
        short_side=_spread(min(info.height, info.width) for info in infos),
        frame_rate=_spread(info.fps for info in infos),
        histogram=class_counts((one.example for one in seen), labels),
    )


def _spread(numbers: Iterable[float]) -> Spread | None:
    values = sorted(round(float(number), 3) for number in numbers)
    return Spread(values[0], statistics.median(values), values[-1]) if values else None


def _beyond_end(readable: Iterable[tuple[Seen, VideoInfo]]) -> Iterator[Finding]:
    for seen, info in readable:
        finish = float(info.timestamps[0]) + info.duration
        end = seen.example.end
        if end is not None and end - finish > END_TOLERANCE:
            yield seen.finding(f"ends at {end:g} s, its file at {finish:.3f} s")


def _without_usable_flow(all_seen: Sequence[Seen]) -> Iterator[Finding]:
    """Where some examples have optical flow, all that have none or one that is of no use."""
    if all(seen.flow is None for seen in all_seen):
        return
    for seen in all_seen:
        if seen.flow is None and seen.info is not None:
            yield seen.finding("it has none, unlike others; `scenic-video data flow` computes it")
        elif seen.flow:
            yield seen.finding(seen.flow)


def _shared(all_seen: Iterable[Seen]) -> Iterator[Finding]:
    """Examples that an earlier split holds too: the same file, content or at least id."""
    first: dict[tuple[str, str], Seen] = {}
    for seen in all_seen:
        keys = {
            "the file": os.path.realpath(seen.file) if seen.file else "",
            "the content": seen.content,
            "the id": seen.example.id,
        }
        others = {what: first.setdefault((what, key), seen) for what, key in keys.items() if key}
        shared = [what for what, other in others.items() if other.split != seen.split]
        if shared:
            other = others[shared[0]]
            yield seen.finding(
                f"has {shared[0]} of {other.example.id!r} in the split {other.split!r}"
            )


def _contradictory(all_seen: Iterable[Seen], labels: LabelSpace) -> Iterator[Finding]:
    """Examples of the same part of the same content as one before, under other labels."""
    first: dict[tuple[str, float, float | None], Seen] = {}
    for seen in all_seen:
        if not seen.content or seen.wrong_labels:
            continue
        earlier = first.setdefault((seen.content, seen.example.start, seen.example.end), seen)
        for head, names in labels.classes.items():
            one, other = ([names[i] for i in x.example.labels[head]] for x in (seen, earlier))
            if sorted(one) != sorted(other):
                yield seen.finding(
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
        train=learned_split(summaries),
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
