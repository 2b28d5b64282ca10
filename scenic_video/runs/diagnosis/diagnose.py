"""All checks of a trained run."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.data.examples import Dataset, random_subset
from scenic_video.errors import UserError
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.split import SplitEvaluation
from scenic_video.evaluators.split_result import SplitResult
from scenic_video.runs.diagnosis.finding import Finding, is_higher
from scenic_video.runs.diagnosis.initial_values import initial_values
from scenic_video.runs.diagnosis.inputs import (
    differing_source,
    has_pixels,
    input_values,
    other_channels,
    other_ranges,
)
from scenic_video.runs.diagnosis.label_order import label_order
from scenic_video.runs.diagnosis.shared_files import shared_files
from scenic_video.runs.evaluation.trained_evaluation import data_of, evaluation_run, state_on
from scenic_video.runs.evaluation.trained_model import TrainedModel, load
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.trainer import TrainState

FEW_CLIPS = 256
CLIPS_PER_CLASS = 5
GOOD = 0.9
"""An accuracy at which other normalisations are not tried."""


def diagnose(
    workdir: str | Path,
    *,
    data: str | None = None,
    split: str | None = None,
    num_clips: int | None = None,
    trust: bool = False,
    reporter: Reporter = SILENT,
) -> list[Finding]:
    """What is found about the run in `workdir`, check by check.

    It is evaluated on `num_clips` random clips of a split, of its own data or of `data`: by default
    256, or 5 per class if that is more. Errors: UserError.
    """
    workdir = Path(workdir)
    model = load(workdir, trust=trust)
    run, options = evaluation_run(model, data=data, split=split, views="1x1", reporter=reporter)
    run = _on_some_clips(run, num_clips)
    state = state_on(run, model)
    findings = _of_predictions(run, state, reporter)
    findings += _of_values(run)
    if not data:
        findings.append(differing_source(workdir))
    findings.append(initial_values(model, run.mesh, workdir))
    return findings + shared_files(_splits_to_compare(model, data, options.split, reporter))


def _on_some_clips(run: Run, number: int | None) -> Run:
    """The run with so many random clips of its split."""
    (split,) = run.dataset.splits
    examples = run.dataset.splits[split]
    classes = max(run.dataset.labels.num_classes.values(), default=0)
    wanted = number or max(FEW_CLIPS, CLIPS_PER_CLASS * classes)
    some = random_subset(examples, min(wanted, len(examples)))
    return dataclasses.replace(run, dataset=dataclasses.replace(run.dataset, splits={split: some}))


def _splits_to_compare(
    model: TrainedModel, data: str | None, split: str, reporter: Reporter
) -> Dataset:
    """All splits of the run's data; or `split` of other `data`, and what the run was trained on."""
    if not data:
        return data_of(model, None, reporter)
    dataset = data_of(model, data, reporter)
    splits = {split: dataset.splits[split]}
    try:
        own, train = data_of(model, None, reporter), model.meta["config"]["input"].get("split")
        splits |= {"the training of the run": own.splits[train or "train"]}
    except (UserError, OSError, KeyError):  # its data is not here
        pass
    return dataclasses.replace(dataset, splits=splits)


def _of_predictions(run: Run, state: TrainState, reporter: Reporter) -> list[Finding]:
    """The checks that need classes: their order, and other channels and ranges of pixels."""
    labels = run.dataset.labels
    if not labels.classes or labels.multilabel:
        why = "it has several labels per clip" if labels.classes else "it predicts no classes"
        return [Finding("accuracy", f"not checked, since {why}")]
    result = _evaluated(run, state, reporter, "as it is")
    findings = [_accuracy(result, labels.num_classes)]
    findings += [label_order(result, head, names) for head, names in labels.classes.items()]
    if not has_pixels(run.task):
        return findings
    best = _top1(result)
    swapped = _top1(_evaluated(_with(run, other_channels(run.task)), state, reporter, "as BGR"))
    findings.append(_order_of_channels(best, swapped, len(result.ids)))
    if best >= GOOD:
        return [*findings, Finding("range of pixels", "others are not tried: the accuracy is high")]
    found = {
        words: _top1(_evaluated(_with(run, task), state, reporter, words))
        for words, task in other_ranges(run.task)
    }
    return [*findings, _range_of_pixels(best, found, len(result.ids))]


def _accuracy(result: SplitResult, num_classes: dict[str, int]) -> Finding:
    chance = float(np.prod([1 / number for number in num_classes.values()]))
    top1, number = _top1(result), int(result.counted.sum())
    words = f"top-1 is {top1:.1%} on {number} clips of {result.split!r}; chance is {chance:.1%}"
    if is_higher(top1, chance, number=number):
        return Finding("accuracy", words)
    return Finding("accuracy", f"{words}: it is not above chance", "See the checks below.")


def _order_of_channels(accuracy: float, swapped: float, number: int) -> Finding:
    words = f"top-1 is {accuracy:.1%}, and {swapped:.1%} with red and blue swapped"
    if not is_higher(swapped, accuracy, number=number):
        return Finding("order of channels", f"{words}: RGB, or colours do not matter")
    return Finding(
        "order of channels",
        f"{words}: the videos look like BGR, or the weights were trained on BGR",
        "Write the videos again in RGB (OpenCV's frames are BGR), or reverse the channels of the "
        "patch kernel.",
    )


def _range_of_pixels(accuracy: float, found: dict[str, float], number: int) -> Finding:
    words, best = max(found.items(), key=lambda item: item[1])
    tried = f"top-1 is {accuracy:.1%}, and {best:.1%} with {words}, the best of {len(found)} others"
    if not is_higher(best, accuracy, number=number):
        return Finding("range of pixels", f"{tried}: no other range is better")
    return Finding(
        "range of pixels", tried, f"Set preprocessing.*.mean and .std to {words}, if it holds."
    )


def _of_values(run: Run) -> list[Finding]:
    """The values of the first clip that can be read."""
    (examples,) = run.dataset.splits.values()
    for example in examples[:8]:
        try:
            return input_values(run.preprocessing, example)
        except UnreadableVideo:
            continue
    return [Finding("values of inputs", "none of 8 clips can be read", "See `data check`.")]


def _evaluated(run: Run, state: TrainState, reporter: Reporter, words: str) -> SplitResult:
    with reporter.counting(f"evaluating {words}") as counting:
        return SplitEvaluation(run)(state, on_batch=counting)


def _with(run: Run, task: Any) -> Run:
    return dataclasses.replace(run, task=task)


def _top1(result: SplitResult) -> float:
    """The share of clips of which every head is right."""
    right = [
        logits[result.counted].argmax(axis=-1)
        == np.array([ids[0] for ids in result.labels[head]])[result.counted]
        for head, logits in result.logits.items()
    ]
    return float(np.all(right, axis=0).mean())
