"""A run that starts from a public checkpoint, by its path."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from projects.vivit.model import ViT
from scenic_video.config import ConfigError
from scenic_video.data.synthetic.scenes import ACTIONS
from scenic_video.errors import UserError
from scenic_video.weights.containers import npz
from tests.runs.initialization.test_state import SIZES, start

IMAGE_MODEL = {"target": "projects.vivit.pretrained:from_image_model"}
VIDEO_MODEL = {
    "target": "projects.vivit.model:FactorisedEncoder",
    "tubelet_size": (2, 8, 8),
    "temporal_num_layers": 1,
    **SIZES[0],
}


def save_image_model(
    path: Path, *, num_classes: int = 5, changed: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """A ViT for images of 32 x 32 pixels with 4 x 4 patches, in the layout of AugReg's files."""
    model = ViT(num_classes=num_classes, patch_size=(8, 8), **SIZES[0])
    variables: Any = model.init(jax.random.key(1), rgb=jnp.zeros((1, 32, 32, 3)))
    arrays: dict[str, Any] = flatten_dict(variables["params"], sep="/")  # pyright: ignore[reportAssignmentType]
    arrays = {name: np.asarray(x) for name, x in arrays.items()}
    old = {name.replace("output_projection", "head"): x for name, x in arrays.items()}
    for new, name in (
        ("MultiHeadDotProductAttention_1", "MultiHeadDotProductAttention_0"),
        ("LayerNorm_2", "LayerNorm_1"),
        ("MlpBlock_3", "MlpBlock_0"),
    ):
        old = {path.replace(name, new): x for path, x in old.items()}
    npz.write(path, old | (changed or {}))
    return arrays


def test_a_video_model_starts_from_an_image_model_in_a_file(tmp_path, capsys):
    arrays = save_image_model(tmp_path / "weights")
    init = {"path": str(tmp_path / "weights")}
    model = VIDEO_MODEL | {"exact_gelu": True}  # the file's model has the approximation
    state, words = start(tmp_path, num_frames=4, model=model, init=init)
    assert "weights (ViT of vision_transformer or big_vision)" in words
    params: dict[str, Any] = flatten_dict(state.params, sep="/")  # pyright: ignore[reportAssignmentType]
    block = "SpatialTransformer/encoderblock_0/MlpBlock_0/Dense_0/kernel"
    np.testing.assert_array_equal(
        params[block], arrays[block.replace("SpatialTransformer", "Transformer")]
    )
    np.testing.assert_array_equal(params["embedding/kernel"][1], arrays["embedding/kernel"])
    said = capsys.readouterr().out
    assert "resample 4 x 4 to 2 x 2" in said
    function = "projects.vivit.pretrained:from_image_model"
    assert f"init.target: {function}, as the source is an image model" in said.replace("\n", " ")
    assert "numbered as before Linen" in said
    assert "was trained with preprocessing.crop = 32; here it is 16" in said.replace("\n", " ")
    assert "model.exact_gelu = False; here it is True" in said.replace("\n", " ")
    assert "resample 4 x 4 to 2 x 2" in (tmp_path / "run" / "initial_weights.txt").read_text()
    stated = json.loads((tmp_path / "run" / "initial_weights.json").read_text())
    assert 0.5 < stated["coverage"] < 1 and stated["sources"] == [words[25:-8]]
    rows = {row["path"]: row for row in stated["parameters"]}
    assert rows["embedding/kernel"]["transform"] == "central_frame of 2"
    assert rows["embedding/kernel"]["source_shape"] == [8, 8, 3, 16]


def test_an_array_that_no_parameter_takes_is_refused(tmp_path):
    save_image_model(tmp_path / "weights", changed={"Transformer/registers": np.zeros((1, 4, 16))})
    init = {**IMAGE_MODEL, "path": str(tmp_path / "weights")}
    with pytest.raises(UserError, match=r"source Transformer/registers \[1, 4, 16\] is not used"):
        start(tmp_path, num_frames=4, model=VIDEO_MODEL, init=init)


def test_a_head_without_class_names_is_not_loaded(tmp_path):
    save_image_model(tmp_path / "weights", num_classes=10)  # as many as the synthetic data has
    model = {"target": "projects.vivit.model:ViT", "patch_size": (8, 8), **SIZES[0]}
    init = {"path": str(tmp_path / "weights")}
    nodes = {"num_frames": 1, "model": model}
    with pytest.raises(ConfigError, match="does not name its classes.* Set --config.init.head=new"):
        start(tmp_path, **nodes, init=init)
    start(tmp_path, **nodes, init=init | {"head": "new"})
    save_image_model(tmp_path / "weights", num_classes=7)
    with pytest.raises(UserError, match="is .16, 10.* gives .16, 7") as error:
        start(tmp_path, **nodes, init=init)
    assert "Set --config.init.head=new" in error.value.__notes__[0]
    with pytest.raises(ConfigError, match="by_name needs one run .* or file .*init.labels=FILE"):
        start(tmp_path, **nodes, init=init | {"head": "by_name"})


def test_a_file_names_the_classes_of_a_head_without_names(tmp_path, capsys):
    head = np.arange(48, dtype=np.float32).reshape(16, 3)
    save_image_model(tmp_path / "weights", num_classes=3, changed={"head/kernel": head})
    (tmp_path / "names.txt").write_text("shrink\njuggle\ngrow\n")
    model = {"target": "projects.vivit.model:ViT", "patch_size": (8, 8), **SIZES[0]}
    init = {**IMAGE_MODEL, "path": str(tmp_path / "weights"), "head": "by_name"}
    init["labels"] = str(tmp_path / "names.txt")
    state, _ = start(tmp_path, num_frames=1, model=model, init=init)
    assert "2 of 10 classes of the head are kept by name" in capsys.readouterr().out
    kernel = np.asarray(state.params["output_projection"]["kernel"])
    places = [ACTIONS.index(name) for name in ("shrink", "grow")]
    np.testing.assert_array_equal(kernel[:, places], head[:, [0, 2]])


def test_one_source_is_named(tmp_path):
    init = {**IMAGE_MODEL, "path": str(tmp_path / "absent")}
    with pytest.raises(ConfigError, match="(?s)There is no file .*absent.*--config.init.path=FILE"):
        start(tmp_path, num_frames=4, model=VIDEO_MODEL, init=init)
    with pytest.raises(ConfigError, match="not from both. Leave one out"):
        start(tmp_path, num_frames=4, model=VIDEO_MODEL, init=init | {"workdir": "runs/other"})
