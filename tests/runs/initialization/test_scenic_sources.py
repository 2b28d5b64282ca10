"""Runs that start from files of Scenic's models of the same architecture."""

from typing import Any

import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from scenic_video.config import build
from tests.helpers.golden import parameter, shapes_of
from tests.helpers.scenic_files import old_layout
from tests.runs.initialization.test_state import SIZES, start

CLIP = (1, 4, 16, 16, 3)
ONE = SIZES[0]
TUBELETS = {"tubelet_size": (2, 8, 8)}
MODELS: dict[str, dict[str, Any]] = {
    "vivit": {
        "target": "projects.vivit.model:FactorisedEncoder",
        "temporal_num_layers": 1,
        **ONE,
        **TUBELETS,
    },
    "mtv": {
        "target": "projects.mtv.model:MTV",
        "views": [ONE | {"tubelet_size": (4, 8, 8)}, ONE | TUBELETS],
        "fusion": {"target": "scenic_video.layers.view_fusion:CrossViewAttention", "layers": (0,)},
        "global_num_layers": 1,
        "global_mlp_dim": 16,
        "global_num_heads": 2,
    },
    "avmae": {
        "target": "projects.avmae.model:PretrainedMBT",
        "modalities": ("rgb",),
        "classifier": "gap",
        "fusion_layer": 1,
        **ONE,
        **TUBELETS,
    },
    "tokenlearner": {
        "target": "projects.tokenlearner.model:TokenLearnerViViT",
        "token_learner_at": 0,
        "num_tokens": 2,
        **ONE,
        **TUBELETS,
    },
}

FAST = ("vivit", "avmae")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return str(tmp_path_factory.mktemp("clips") / "clips")


@pytest.mark.parametrize(
    "project", [x if x in FAST else pytest.param(x, marks=pytest.mark.slow) for x in MODELS]
)
def test_a_run_starts_from_a_file_of_its_architecture(project, clips, tmp_path):
    node = MODELS[project]
    tree = shapes_of(build(node, num_classes=7), rgb=CLIP)
    arrays = {path: parameter(path, shape) for path, shape in tree.items()}
    old_layout(tmp_path / "checkpoint", arrays)
    init = {"path": str(tmp_path / "checkpoint"), "head": "new"}
    state, words = start(tmp_path, data=clips, model=node, init=init)
    assert "of Scenic" in words
    params: dict[str, Any] = flatten_dict(state.params, sep="/")  # pyright: ignore[reportAssignmentType]
    head = {path for path in params if "output_projection" in path}
    assert params.keys() == arrays.keys() and len(head) == 2
    for path in params.keys() - head:
        np.testing.assert_array_equal(params[path], arrays[path])
