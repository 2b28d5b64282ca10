"""The shapes of batches."""

from typing import Any

import jax
import numpy as np

from scenic_video.data.examples import LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import no_labels
from scenic_video.tasks.task import Batch


def example_batch(preprocessing: Preprocessing, labels: LabelSpace) -> Batch:
    """A batch of one black and silent clip, for its shapes."""
    label = {head: array[None] for head, array in no_labels(labels).items()}
    inputs = preprocessing.blank_inputs(1)
    return {"inputs": inputs, "label": label, "mask": np.ones(1, np.float32)}


def shapes(batch: Any, *leading: int) -> Any:
    """The shapes of a batch of one example, with its first axis replaced by these axes."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((*leading, *x.shape[1:]), x.dtype), batch)
