import itertools
import time

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from scenic_video.data.input.feed import Feed


class Source:
    """Batches 0, 1, 2, ...; records how many were taken and whether it was closed."""

    def __init__(self, num_batches: int | None = None, seconds: float = 0.0):
        self.taken = 0
        self.closed = False
        self._num_batches = num_batches
        self._seconds = seconds

    def __iter__(self):
        return self

    def __next__(self):
        if self.taken == self._num_batches:
            raise StopIteration
        time.sleep(self._seconds)
        self.taken += 1
        return {"x": np.full((8, 2), self.taken - 1, np.float32)}

    def close(self):
        self.closed = True


def test_batches_arrive_sharded_and_in_order():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec("data"))

    def put(batch):
        return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)

    arrived = list(Feed(Source(5), put))
    assert all(batch["x"].sharding == sharding for batch in arrived)
    assert [float(batch["x"][7, 1]) for batch in arrived] == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("depth", [0, 2])
def test_feed_transfers_exactly_depth_batches_ahead(depth):
    source = Source()
    feed = Feed(source, jax.device_put, depth=depth)
    for step in range(4):
        assert feed is iter(feed) and int(next(feed)["x"][0, 0]) == step
        assert source.taken == step + 1 + depth


def test_closing_closes_the_source_and_ends_the_feed():
    source = Source()
    with Feed(source, jax.device_put) as feed:
        next(feed)
    assert source.closed
    assert list(feed) == []


def test_error_of_the_source_reaches_the_caller():
    def failing():
        yield {"x": np.zeros(2)}
        raise ValueError("too many bad files")

    with pytest.raises(ValueError, match="too many bad files"):
        next(Feed(failing(), jax.device_put))


def test_source_shorter_than_the_depth_is_delivered_whole():
    assert len(list(itertools.islice(Feed(Source(1), jax.device_put), 5))) == 1
