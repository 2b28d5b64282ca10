"""Which examples of a split have the modalities that an example may lack."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from scenic_video.modalities.modality import Modality


class Presence:
    """Records which of N examples have, in some view, each modality that may be absent."""

    def __init__(self, modalities: Mapping[str, Modality], num_examples: int):
        self._modalities = {k: x for k, x in modalities.items() if x.can_be_absent}
        self._found = {name: np.zeros(num_examples, bool) for name in self._modalities}

    def recorded(self, batches: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The batches without "index", after recording them; inputs are [B, V, ...]."""
        for batch in batches:
            index = batch["index"]
            for name, modality in self._modalities.items():
                present = np.asarray(modality.present(batch["inputs"])).max(axis=1) > 0
                self._found[name][index[present & (index >= 0)]] = True
            yield {name: value for name, value in batch.items() if name != "index"}

    def on_all_hosts(self) -> dict[str, np.ndarray]:
        """By modality [N], combined over hosts, since each records only the rows that it reads."""
        if jax.process_count() == 1:
            return self._found
        gathered = multihost_utils.process_allgather
        return {name: gathered(found).any(axis=0) for name, found in self._found.items()}
