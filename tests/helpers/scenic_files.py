"""Files of weights as Scenic's training writes them."""

from pathlib import Path
from typing import Any

import flax.serialization
import numpy as np
from flax.traverse_util import unflatten_dict


def old_layout(path: Path, arrays: dict[str, Any]) -> None:
    """A training state with an optimizer of Flax."""
    params = unflatten_dict(arrays, sep="/")
    moments = {"grad_ema": params, "grad_sq_ema": params}
    state = {
        "optimizer": {"target": params, "state": {"step": np.int32(3), "param_states": moments}},
        "global_step": np.int32(3),
        "model_state": {},
        "rng": np.zeros(2, np.uint32),
        "accum_train_time": 1,
    }
    path.write_bytes(flax.serialization.msgpack_serialize(state))


def new_layout(path: Path, arrays: dict[str, Any]) -> None:
    """A training state with an optimizer of optax."""
    params = unflatten_dict(arrays, sep="/")
    state = {
        "params": params,
        "opt_state": {"0": {"trace": params}},
        "global_step": np.int32(3),
        "model_state": {},
        "rng": np.zeros(2, np.uint32),
        "metadata": {},
    }
    path.write_bytes(flax.serialization.msgpack_serialize(state))
