"""Finds likely mistakes in a dataset from only its labels and file names.

They are shown by `scenic-video data check` and at the start of a run, since nothing is decoded.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from scenic_video.data.examples import Dataset, Example, LabelSpace

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Split -> head -> class -> number of examples that have it."""

MISSING = frozenset({"nan", "n/a", "#n/a", "na", "null", "none", "-", "?"})
"""Common marks for a missing value."""
NO_LABELS = frozenset(
    "fps frame_rate framerate duration seconds length frames num_frames width height size "
    "resolution notes note comment comments url link file filename split subset index date md5 "
    "start_time end_time time_start time_end start_frame stop_frame end_frame".split()
)
"""Columns that describe a file, which become heads if `heads` is not set."""
MOST_SHARE_OF_CLASSES = 0.9
"""Classes per example, above which a head does not look like a label."""
FEWEST_EXAMPLES = 4
"""Examples needed for that remark."""
MOST_NAMED = 4


def remarks(dataset: Dataset, *, train: str) -> list[str]:
    """Sentences on likely mistakes; `train` is the split to train on.

    The labels of splits that read examples on access are not checked.
    """
    splits = {name: split for name, split in dataset.splits.items() if _is_in_memory(split)}
    if len(splits) < len(dataset.splits):
        return list(dataset.remarks)
    counts = {name: class_counts(split, dataset.labels) for name, split in splits.items()}
    sizes = sum(len(split) for split in splits.values())
    examples = (example for split in splits.values() for example in split)
    return [
        *dataset.remarks,
        *label_remarks(counts, num_examples=sizes, train=train),
        *_clips_of_two_labels(examples),
    ]


def label_remarks(counts: Counts, *, num_examples: int, train: str) -> list[str]:
    """Remarks on the names of classes and the numbers of their examples."""
    heads = list(next(iter(counts.values())))
    found = []
    for head in heads:
        found += _not_in_training(head, counts, train)
        found += _spelling_variants(head, _used(head, counts))
        found += _missing_values(head, _used(head, counts))
    return [*found, *_no_labels(heads, counts, num_examples)]


def class_counts(
    examples: Iterable[Example], labels: LabelSpace
) -> Mapping[str, Mapping[str, int]]:
    """Head -> class -> number of examples, for every class of `labels`."""
    ids: dict[str, Counter[int]] = {head: Counter() for head in labels.classes}
    for example in examples:
        for head, counter in ids.items():
            counter.update(example.labels[head])
    return {
        head: {name: ids[head][index] for index, name in enumerate(names)}
        for head, names in labels.classes.items()
    }


def training_split(splits: Iterable[str]) -> str:
    """The split to train on, judging by names."""
    names = list(splits)
    return "train" if "train" in names else names[0]


def _is_in_memory(examples: Sequence[Example]) -> bool:
    return isinstance(examples, tuple | list)


def _used(head: str, counts: Counts) -> list[str]:
    """The classes that some example has."""
    names = next(iter(counts.values()))[head]
    return [name for name in names if any(split[head][name] for split in counts.values())]


def _not_in_training(head: str, counts: Counts, train: str) -> list[str]:
    if train not in counts:
        return []
    alone = [name for name in _used(head, counts) if not counts[train][head][name]]
    if not alone:
        return []
    where = [name for name, split in counts.items() if any(split[head][x] for x in alone)]
    places = " and ".join(repr(name) for name in where)
    return [f"{_classes(alone)} of {head!r} {_are(alone)} only in {places}: {_few(alone)}"]


def _spelling_variants(head: str, names: Sequence[str]) -> list[str]:
    alike = defaultdict(list)
    for name in names:
        alike[_spelling(name)].append(name)
    groups = ["/".join(map(repr, group)) for group in alike.values() if len(group) > 1]
    if not groups:
        return []
    return [f"classes of {head!r} that differ only in spelling: {_listed(groups)}"]


def _spelling(name: str) -> str:
    """The same for 001 and 1, 0 and 0.0, Run and run, sit_up and sit-up."""
    if (number := _number(name)) is not None:
        return f"number {number}"
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_-]+", " ", plain).strip()


def _number(name: str) -> float | None:
    try:
        number = float(name)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _missing_values(head: str, names: Sequence[str]) -> list[str]:
    found = [name for name in names if name.casefold() in MISSING]
    words = "look like empty cells" if len(found) > 1 else "looks like an empty cell"
    return [f"{_classes(found)} of {head!r} {words}: {_few(found)}"] if found else []


def _no_labels(heads: Sequence[str], counts: Counts, num_examples: int) -> list[str]:
    reasons = {head: _why_no_label(head, _used(head, counts), num_examples) for head in heads}
    strange = {head: reason for head, reason in reasons.items() if reason}
    if not strange:
        return []
    others = [head for head in heads if head not in strange]
    remedy = f"; heads={','.join(others)} leaves them out" if others else ""
    words = _listed([f"{head!r} ({reason})" for head, reason in strange.items()])
    return [f"heads that do not look like labels: {words}{remedy}"]


def _why_no_label(head: str, names: Sequence[str], num_examples: int) -> str:
    is_enough = num_examples >= FEWEST_EXAMPLES
    if is_enough and len(names) >= MOST_SHARE_OF_CLASSES * num_examples:
        return f"{len(names)} classes for {num_examples} examples"
    numbers = [_number(name) for name in names]
    if names and None not in numbers and any(number % 1 for number in numbers if number):
        return "numbers with fractions"
    return "by its name" if head.lower() in NO_LABELS else ""


def _clips_of_two_labels(examples: Iterable[Example]) -> list[str]:
    """Examples of the same part of the same file with different labels."""
    first: dict[tuple[str, float, float | None], Example] = {}
    found = []
    for example in examples:
        if isinstance(example.video, str):
            clip = (example.video, example.start, example.end)
            earlier = first.setdefault(clip, example)
            if example.labels != earlier.labels:
                found.append(example.id)
    return [f"clips with two different labels: {_few(found)}"] if found else []


def _classes(names: Sequence[str]) -> str:
    return f"{len(names)} class{'es' if len(names) > 1 else ''}"


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _few(names: Sequence[str]) -> str:
    return _listed([repr(name) for name in names])


def _listed(words: Sequence[str]) -> str:
    return ", ".join([*words[:MOST_NAMED], *(["..."] if len(words) > MOST_NAMED else [])])
