"""A task of a tiny video transformer, and batches for it."""

import flax.linen as nn
import numpy as np

from projects.vivit.model import FactorisedEncoder
from scenic_video.tasks.classification import Classification
from tests.helpers.transforms import RgbTransform

MODEL = FactorisedEncoder(
    num_classes=5,
    hidden_size=32,
    mlp_dim=64,
    num_layers=1,
    num_heads=4,
    temporal_num_layers=1,
    tubelet_size=(2, 8, 8),
    stochastic_depth_rate=0.2,
)


def make_task(model: nn.Module = MODEL, **fields):
    return Classification(model=model, heads={"action": 5}, transform=RgbTransform(), **fields)


def make_batch(step, size=8):
    rng = np.random.default_rng(step)
    return {
        "inputs": {"rgb": rng.integers(0, 256, (size, 4, 16, 16, 3)).astype(np.uint8)},
        "label": {"action": rng.integers(0, 5, size).astype(np.int32)},
        "mask": np.ones(size, np.float32),
    }
