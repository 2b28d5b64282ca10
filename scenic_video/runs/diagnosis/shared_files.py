"""Whether splits of a dataset share files."""

import itertools
import os
from collections.abc import Mapping, Sequence

from scenic_video.data.examples import Dataset, Example
from scenic_video.data.provenance.content import content_of
from scenic_video.data.sources.fingerprint import StoredExamples
from scenic_video.runs.diagnosis.finding import Finding

MOST_CONTENTS = 2000
"""Files whose content is compared; others are compared by path."""


def shared_files(dataset: Dataset) -> list[Finding]:
    """A finding for each pair of splits: examples of the same part of a file, by its path or by its
    content."""
    splits = {
        name: examples
        for name, examples in dataset.splits.items()
        if not isinstance(examples, StoredExamples)
    }
    if len(splits) < 2:
        return [Finding("files of splits", "there are no two splits of files to compare")]
    files = {name: _by_file(examples) for name, examples in splits.items()}
    return [_compared(files, pair) for pair in itertools.combinations(splits, 2)]


Parts = dict[str, list[Example]]
"""File -> the examples that are parts of it."""


def _by_file(examples: Sequence[Example]) -> Parts:
    files: Parts = {}
    for example in examples:
        if isinstance(example.video, str):
            files.setdefault(os.path.realpath(example.video), []).append(example)
    return files


def _compared(files: Mapping[str, Parts], pair: tuple[str, str]) -> Finding:
    first, second = (files[name] for name in pair)
    equal = {path: path for path in first if path in second}
    copies, complete = _equal_contents(first, second)
    shared = [
        (a, b)
        for path, other in {**copies, **equal}.items()
        for a in first[path]
        for b in second[other]
        if _overlap(a, b)
    ]
    check = f"files of {pair[0]} and {pair[1]}"
    how = "by path and content" if complete else f"by path, {MOST_CONTENTS} of them by content"
    if not shared:
        return Finding(check, f"none of {len(first)} and {len(second)} is shared, {how}")
    named = ", ".join(f"{a.id} = {b.id}" for a, b in shared[:5])
    return Finding(
        check,
        f"{len(shared)} pairs of examples are the same clip: {named}"
        + (", ..." if len(shared) > 5 else ""),
        f"Remove them from one of the splits: results on {pair[1]} are otherwise too good.",
    )


def _equal_contents(first: Parts, second: Parts) -> tuple[dict[str, str], bool]:
    """Files of the first with the content of one of the second, which can only be those of equal
    size; and whether all of these were compared."""
    sizes = [_sizes(first), _sizes(second)]
    both = set(sizes[0].values()) & set(sizes[1].values())
    candidates = [[path for path, size in found.items() if size in both] for found in sizes]
    chosen = [paths[:MOST_CONTENTS] for paths in candidates]
    contents = {content_of(path): path for path in chosen[1]}
    found = {path: contents.get(content_of(path)) for path in chosen[0]}
    equal = {path: other for path, other in found.items() if other is not None}
    return equal, chosen == candidates


def _sizes(files: Parts) -> dict[str, int]:
    found = {}
    for path in files:
        try:
            found[path] = os.path.getsize(path)
        except OSError:
            continue  # the evaluation names files that cannot be read
    return found


def _overlap(first: Example, second: Example) -> bool:
    ends = [float("inf") if x.end is None else x.end for x in (first, second)]
    return first.start < ends[1] and second.start < ends[0]
