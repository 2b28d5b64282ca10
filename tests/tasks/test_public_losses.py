"""Losses of classification against those of the public code, on the same logits and labels."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.tasks.classification import Classification

GOLDEN = dict(np.load(Path(__file__).parents[1] / "golden" / "losses.npz"))
LABELS = GOLDEN["onehot"].argmax(-1).astype(np.int32)


class Passing(nn.Module):
    """Its inputs are its logits."""

    @nn.compact
    def __call__(self, rgb, train=False):
        return rgb


def loss_of(label: dict[str, Any], *, heads: dict[str, int], mask: Any = None, **fields: Any):
    """In training, where labels are smoothed."""
    task = Classification(
        model=Passing(), heads=heads, transform=lambda inputs, **_: inputs, **fields
    )
    mask = np.ones(len(LABELS), np.float32) if mask is None else mask
    batch: Any = {"inputs": {"rgb": GOLDEN["logits"]}, "label": label, "mask": mask}
    batch = jax.tree.map(jnp.asarray, batch)
    return float(task({"params": {}}, batch, rng=jax.random.key(0), train=True).loss)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("softmax_ce", {"mask": GOLDEN["mask"]}),
        ("softmax_ce_ls0.3", {"mask": GOLDEN["mask"], "label_smoothing": 0.3}),
        ("softmax_ce_nomask", {}),
    ],
)
def test_one_label_is_trained_as_by_the_public_code(name, fields):
    loss = loss_of({"action": LABELS}, heads={"action": 7}, **fields)
    assert loss == pytest.approx(float(GOLDEN[name]), rel=1e-5)


@pytest.mark.parametrize(("name", "smoothing"), [("sigmoid_ce", 0.0), ("sigmoid_ce_ls0.3", 0.3)])
def test_several_labels_are_trained_as_by_the_public_code(name, smoothing):
    loss = loss_of(
        {"action": GOLDEN["multihot"]},
        heads={"action": 7},
        mask=GOLDEN["mask"],
        multilabel=True,
        label_smoothing=smoothing,
    )
    assert loss == pytest.approx(float(GOLDEN[name]), rel=1e-5)


def test_two_heads_are_trained_by_the_mean_of_their_losses():
    parts = {"noun": GOLDEN["two_head_onehot"][:, :4], "verb": GOLDEN["two_head_onehot"][:, 4:]}
    label = {head: part.argmax(-1).astype(np.int32) for head, part in parts.items()}
    loss = loss_of(label, heads={"noun": 4, "verb": 3}, mask=GOLDEN["mask"], label_smoothing=0.2)
    assert loss == pytest.approx(float(GOLDEN["two_head_loss_ls0.2"]), rel=1e-5)
