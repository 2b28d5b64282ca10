"""A trained model with its class names and preprocessing bound to it."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scenic_video.checkpoints import restore_params
from scenic_video.config import ConfigError
from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.views import Views
from scenic_video.errors import UserError
from scenic_video.evaluators.split_result import probabilities
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.metadata import labels_from_json
from scenic_video.runs.parts import build_task
from scenic_video.tasks.presence import shown_modalities
from scenic_video.tasks.task import Batch, Task
from scenic_video.trust import check_run


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """What a checkpoint holds: the task, its variables, and how videos become its inputs."""

    task: Task
    variables: dict[str, Any]
    labels: LabelSpace
    preprocessing: Preprocessing
    meta: Mapping[str, Any]

    @functools.cached_property
    def labels_read(self) -> LabelSpace:
        """The labels that the task reads: all, or none where it predicts no classes."""
        batch = example_batch(self.preprocessing, self.labels)
        batch |= {"inputs": self.preprocessing.blank_inputs(1, 1)}
        predictions = jax.eval_shape(self._predictions, self.variables, batch)
        return self.labels if predictions else LabelSpace(classes={})

    def predict(
        self, video: str | Path | bytes, *, views: str = "4x3", top: int = 5
    ) -> dict[str, list[tuple[str, float]]]:
        """Head -> its `top` most likely classes as (name, probability), most likely first.

        `video` is a file of any size, length and codec, or its bytes. Errors: UnreadableVideo.
        """
        if top < 1:
            raise UserError(f"top must be 1 or more; got {top}.")
        predictions = {}
        for head, likely in self.probabilities(video, views=views).items():
            names = self.labels.classes[head]
            predictions[head] = [(names[i], float(likely[i])) for i in np.argsort(-likely)[:top]]
        return predictions

    def probabilities(
        self, video: str | Path | bytes, *, views: str = "4x3"
    ) -> dict[str, np.ndarray]:
        """Head -> probabilities [C]; independent for each class if multi-label."""
        logits = self.logits(video, views=views)
        multilabel = self.labels.multilabel
        return {head: probabilities(x, multilabel=multilabel) for head, x in logits.items()}

    def logits(self, video: str | Path | bytes, *, views: str = "4x3") -> dict[str, np.ndarray]:
        """Head -> logits [C], averaged over the views as in evaluation.

        Errors: UnreadableVideo; ConfigError where the task predicts no classes.
        """
        if not isinstance(video, str | Path | bytes):
            raise UserError(f"A video is a path, or the bytes of a file; got {type(video)}.")
        parsed = Views.parse(views)
        source = video if isinstance(video, bytes) else str(video)
        example = Example(id="video", video=source, labels={})
        inputs = self.preprocessing.eval_inputs(
            example, num_clips=parsed.num_clips, num_crops=parsed.num_crops
        )
        names = shown_modalities(self.task, self.preprocessing.modalities)
        shown = [self.preprocessing.modalities[name] for name in names]
        if all(x.can_be_absent and not x.present(inputs).any() for x in shown):
            raise UnreadableVideo(f"It has no {' or '.join(names)}, the only input of this model.")
        inputs = {name: views[None] for name, views in inputs.items()}
        batch = example_batch(self.preprocessing, self.labels) | {"inputs": inputs}
        logits = {head: x[0] for head, x in self.apply(batch).items()}
        if not logits:
            raise ConfigError(
                f"{type(self.task).__name__} predicts no classes: this run was trained without "
                "labels. Fine-tune it first: `scenic-video train` with a config "
                "that classifies and --config.init.workdir set to this run's workdir."
            )
        return logits

    def apply(self, batch: Batch) -> dict[str, np.ndarray]:
        """Head -> logits [B, C] of a batch whose inputs are [B, V, ...]."""
        return jax.device_get(self._apply(self.variables, batch))

    @functools.cached_property
    def _apply(self):
        return jax.jit(self._predictions)

    def _predictions(self, variables: dict[str, Any], batch: Batch) -> Mapping[str, jax.Array]:
        return self.task(variables, batch, rng=jax.random.key(0), train=False).predictions


def load(workdir: str | Path, *, trust: bool = False) -> TrainedModel:
    """The model that was trained in `workdir`, from its best checkpoint if it kept one.

    The checkpoint holds class names and preprocessing, and names the constructors of model, task
    and data: those outside `scenic_video` and `projects` are called only with `trust`. Errors:
    ConfigError.
    """
    folder = Path(workdir) / "checkpoints"
    if not folder.is_dir():
        raise ConfigError(f"{workdir} holds no trained model: there is no folder {folder}.")
    loaded, meta = restore_params(folder)
    check_run(meta["config"], run=workdir, trust=trust)
    check_run(meta["preprocessing"], run=workdir, trust=trust)
    labels = labels_from_json(meta["labels"])
    preprocessing = Preprocessing.from_dict(meta["preprocessing"])
    task = build_task(meta["config"], labels, preprocessing)
    return TrainedModel(task, loaded, labels, preprocessing, meta)
