"""Starts from other weights, parameter by parameter, against those of the public code.

The stored cases say of every parameter which one of the source it holds in the public code, in the
middle frame of its kernel or as it is, and the values of those that are resampled or repeated.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from projects.avmae import pretrained as avmae
from projects.mtv import pretrained as mtv
from projects.vivit import pretrained as vivit
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.golden import GOLDEN, parameter

STARTS = json.loads((GOLDEN / "starts.json").read_text())["starts"]
ARRAYS = dict(np.load(GOLDEN / "starts.npz"))
GRID = (4, 4, 4)

MINE: dict[str, Callable[..., Any]] = {
    "vit_to_fe_token": vivit.from_image_model,
    "vit_gap_to_joint_token_tile": vivit.from_image_model,
    "fe_to_fe_more_frames": vivit.from_video_model,
    "joint_to_fsa_gap": functools.partial(vivit.from_video_model, time_attention="copy"),
    "vit_to_mbt_token": functools.partial(avmae.from_image_model, bottlenecks="positions"),
    "avmae_separate_encoders_and_concat_to_mbt_rgb_spectrogram": avmae.from_autoencoder,
    "vivit_nonmae_to_mae_finetune_token": avmae.from_classifier,
    "mtv_from_vits_bottleneck": mtv.from_image_models,
}

TARGETS: dict[str, dict[str, Any]] = {
    "vit_to_fe_token": {"grid": GRID},
    "vit_gap_to_joint_token_tile": {"grid": GRID},
    "fe_to_fe_more_frames": {"grid": (8, 4, 4)},
    "joint_to_fsa_gap": {"grid": GRID},
    "vit_to_mbt_token": {"inputs": {"rgb": (8, 32, 32), "audio": (48, 32)}},
    "vivit_nonmae_to_mae_finetune_token": {"grid": GRID},
}
SOURCES: dict[str, dict[str, Any]] = {
    "fe_to_fe_more_frames": {"grid": GRID},
    "joint_to_fsa_gap": {"grid": GRID},
    "vit_to_mbt_token": {"grid": (4, 4)},
    "vivit_nonmae_to_mae_finetune_token": {"grid": GRID},
}
"""The facts about the models beside their parameters."""

BLOCK = "Transformer/encoderblock_{layer}/{norm}/{leaf}"
SLIPS: dict[str, dict[str, str]] = {
    "vit_to_fe_token": {"cls_SpatialTransformer": "from/cls"},
    "vit_to_mbt_token": {"clsspectrogram": "from/cls"},
    "vivit_nonmae_to_mae_finetune_token": {
        f"Transformer/encoder_norm/{leaf}": f"from/Transformer/encoder_norm/{leaf}"
        for leaf in ("scale", "bias")
    },
    "joint_to_fsa_gap": {
        BLOCK.format(layer=layer, norm="LayerNorm_time", leaf=leaf): "from/"
        + BLOCK.format(layer=layer, norm="LayerNorm_0", leaf=leaf)
        for layer in range(3)
        for leaf in ("scale", "bias")
    },
    "avmae_separate_encoders_and_concat_to_mbt_rgb_spectrogram": {
        f"embedding_spectrogram/{leaf}": f"from/embedding_spectrogram/{leaf}"
        for leaf in ("kernel", "bias")
    },
}
"""What the public code leaves random, since it looks for another name, and where it belongs."""


NO_CLASS_TOKEN = {"vit_gap_to_joint_token_tile"}
"""Sources without a class token: its row in the table of positions is zero here, random there."""


def read(name, kind):
    """The trees of `kind` "target" or "from" (from0, from1, ... of several): stored values, else
    those that the names determine."""
    case = STARTS[name]
    shapes = (
        case["sources"] if kind == "from" else {f"{kind}/{k}": v for k, v in case[kind].items()}
    )
    initial = "target_init" if kind == "target" else ""
    trees: dict[str, dict[str, np.ndarray]] = {}
    for key, shape in shapes.items():
        tree, _, path = key.partition("/")
        stored = ARRAYS.get(f"{name}/{initial or tree}/{path}")
        trees.setdefault(tree, {})[path] = parameter(key, shape) if stored is None else stored
    return trees


@pytest.mark.parametrize("name", MINE)
def test_every_parameter_starts_as_in_the_public_code(name):
    case, target = STARTS[name], read(name, "target")["target"]
    sources = read(name, "from")
    trees = [unflatten_dict(tree, sep="/") for _, tree in sorted(sources.items())]
    known = SOURCES.get(name, {})
    weights = [ModelWeights(tree, **known) for tree in trees]
    params, _ = MINE[name](
        target=ModelWeights(unflatten_dict(target, sep="/"), **TARGETS.get(name, {})),
        source=weights if len(weights) > 1 else weights[0],
    )
    flat: Any = flatten_dict(params, sep="/")
    slips = SLIPS.get(name, {})
    for path, key in (case["copied"] | slips).items():
        tree, _, old = key.partition("/")
        np.testing.assert_array_equal(flat[path], sources[tree][old], err_msg=path)
    for path, key in case["central_frame"].items():
        tree, _, old = key.partition("/")
        middle = flat[path].shape[0] // 2
        np.testing.assert_array_equal(flat[path][middle], sources[tree][old], err_msg=path)
        assert not np.delete(flat[path], middle, axis=0).any()
    for path in set(case["fresh"]) - slips.keys():
        np.testing.assert_array_equal(flat[path], target[path], err_msg=path)
    for path, expected in ARRAYS.items():
        if path.startswith(f"{name}/result/"):
            found = flat[path.removeprefix(f"{name}/result/")]
            if name in NO_CLASS_TOKEN and path.endswith("pos_embedding"):
                assert not found[:, 0].any()
                found, expected = found[:, 1:], expected[:, 1:]
            np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=path)


def test_every_stored_start_is_compared():
    assert MINE.keys() == STARTS.keys()
