"""Reads examples for evaluation, and shards them over the devices of a run."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.batches import EvaluationBatches, HostBatch, eval_batches
from scenic_video.data.input.feed import Feed
from scenic_video.data.input.rows import EvaluationRow
from scenic_video.data.input.views import Views
from scenic_video.evaluators.evaluator import Run
from scenic_video.sharding import local_rows, put_batch


@dataclasses.dataclass(frozen=True)
class Reading:
    """One pass over `examples`: each once, in order, all views of a video from one decode.

    `batch_size` is global, in videos.
    """

    run: Run
    examples: Sequence[Example]
    labels: LabelSpace
    views: Views
    batch_size: int

    def open(self) -> EvaluationBatches:
        """The batches of this process; close them, or use them in a `with`."""
        load = EvaluationRow(
            self.examples,
            self.labels,
            self.run.preprocessing,
            views=self.views,
            decode_timeout=self.run.decode_timeout,
        )
        return eval_batches(
            load,
            batch_size=self.batch_size,
            rows=local_rows(self.run.mesh, self.batch_size),
            num_threads=self.run.num_threads,
        )

    def on_devices(self, batches: Iterator[HostBatch]) -> Iterator[Any]:
        """The batches as global arrays, which are transferred to the devices ahead of use."""
        put = functools.partial(put_batch, mesh=self.run.mesh, batch_size=self.batch_size)
        return Feed(batches, put)
