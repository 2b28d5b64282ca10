"""Writes the report of a finished run, with a selection of its clips."""

import dataclasses
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scenic_video.data.examples import Example, split_of
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.evaluators.evaluator import Result
from scenic_video.evaluators.split_result import SplitResult, probabilities
from scenic_video.modalities.names import DEFAULT
from scenic_video.runs.experiment import Experiment
from scenic_video.runs.metadata import environment
from scenic_video.visualize.report import ReportContents, Sample, write_report
from scenic_video.writers import read_metrics

MAX_WRONG, MAX_SAMPLES = 4, 12


def write(
    experiment: Experiment,
    workdir: Path,
    results: Mapping[str, Result],
) -> Path:
    """Writes `workdir`/report.html about a run and its `results` by evaluator.

    Clips and confusions are from the run's own evaluation, whose column is the last.
    """
    evaluation = results[experiment.evaluation.split]
    assert isinstance(evaluation, SplitResult)
    others = {name: x for name, x in results.items() if x is not evaluation}
    labels = experiment.dataset.labels
    confusion = {}
    if not labels.multilabel:
        sizes = labels.num_classes
        confusion = {head: evaluation.confusion(head, sizes[head]) for head in evaluation.logits}
    contents = ReportContents(
        title=workdir.name,
        config=experiment.config,
        environment=environment(),
        history=read_metrics(workdir),
        results={
            result.heading(name): result.metrics | result.counts
            for name, result in [*others.items(), (evaluation.split, evaluation)]
        },
        class_names=labels.classes,
        confusion=confusion,
        samples=[_sample(experiment, evaluation, i) for i in chosen(evaluation)],
        command=shlex.join(["scenic-video", *sys.argv[1:]]),
    )
    return write_report(workdir, contents)


def chosen(evaluation: SplitResult) -> list[int]:
    """The examples to show: the worst mistakes first, then correct ones of other classes.

    The worst are those to whose labels the model gave the least probability. Where the model
    predicts no classes, none are shown.
    """
    if not evaluation.logits:
        return []
    head = next(iter(evaluation.logits))
    first_label = np.array([ids[0] if ids else 0 for ids in evaluation.labels[head]])
    likely = probabilities(evaluation.logits[head], multilabel=False)
    confidence = likely[np.arange(len(likely)), first_label]
    right = evaluation.logits[head].argmax(axis=-1) == first_label
    order = [i for i in np.argsort(confidence, kind="stable") if evaluation.counted[i]]
    shown = [int(i) for i in order if not right[i]][:MAX_WRONG]
    classes = {first_label[i] for i in shown}
    for i in order[::-1]:
        if len(shown) < MAX_SAMPLES and right[i] and first_label[i] not in classes:
            shown.append(int(i))
            classes.add(first_label[i])
    return shown


def _sample(experiment: Experiment, evaluation: SplitResult, index: int) -> Sample:
    example = split_of(experiment.dataset, evaluation.split)[index]
    labels = experiment.dataset.labels
    true, predicted = {}, {}
    for head, names in labels.classes.items():
        logits = evaluation.logits[head][index]
        likely = probabilities(logits, multilabel=labels.multilabel)
        true[head] = [names[i] for i in evaluation.labels[head][index]]
        predicted[head] = [(names[i], float(likely[i])) for i in np.argsort(-likely)[:3]]
    return Sample(
        frames=_frames(experiment.preprocessing, example),
        true=true,
        predicted=predicted,
        id=example.id,
    )


def _frames(preprocessing: Preprocessing, example: Example) -> np.ndarray:
    """Frames of the first modality that can be shown as images, else of the video itself."""
    built_in = dataclasses.replace(preprocessing, modalities=DEFAULT).modalities
    for name, modality in (preprocessing.modalities | built_in).items():
        alone = dataclasses.replace(preprocessing, modalities={name: modality})
        views = alone.eval_inputs(example)
        frames = modality.to_rgb({name: x[0] for name, x in views.items()})
        if frames is not None:
            return frames
    raise AssertionError("RGB can always be shown")
