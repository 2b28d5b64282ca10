"""`scenic-video weights convert`."""

import json
from typing import Any

import flax.serialization
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from scenic_video.checkpoints import restore_params
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights


def equal(found: Any, expected: Any) -> bool:
    return found.keys() == expected.keys() and all(
        x.dtype == expected[path].dtype and np.array_equal(x, expected[path])
        for path, x in found.items()
    )


@pytest.mark.parametrize("format", ["scenic", "npz", "hf-safetensors", "orbax"])
def test_every_format_is_read_back_bit_for_bit(weights, augreg, params, tmp_path, format):
    out = tmp_path / "written"
    code, text, _ = weights("convert", augreg, "--to", format, out)
    assert code == 0 and "equal bit for bit" in text
    assert equal(read_weights(out).params, params)
    back = tmp_path / "back.npz"
    assert weights("convert", out, "--to", "npz", back)[0] == 0
    assert back.read_bytes() != augreg.read_bytes()  # other numbers of modules
    assert equal(read_weights(back).params, params)


def test_scenic_is_what_flax_reads(weights, augreg, params, tmp_path):
    weights("convert", augreg, "--to", "scenic", tmp_path / "checkpoint")
    state: Any = flax.serialization.msgpack_restore((tmp_path / "checkpoint").read_bytes())
    assert state.keys() == {"params"}
    assert equal(dict(flatten_dict(state["params"], sep="/")), params)


def test_npz_is_numbered_as_published_files_are(weights, augreg, tmp_path):
    code, text, _ = weights("convert", augreg, "--to", "npz", tmp_path / "vit.npz")
    assert code == 0 and "because timm takes a file without prefix to be numbered so" in text
    names = set(np.load(tmp_path / "vit.npz").files)
    block = "Transformer/encoderblock_1"
    assert {
        f"{block}/MultiHeadDotProductAttention_1/out/bias",
        f"{block}/LayerNorm_2/scale",
    } < names
    assert {f"{block}/MlpBlock_3/Dense_0/kernel", "head/kernel", "cls"} < names


def test_nothing_is_replaced_unless_it_is_wanted(weights, augreg, tmp_path):
    out = tmp_path / "folder"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    code, _, error = weights("convert", augreg, "--to", "hf-safetensors", out)
    assert code == 2 and f"There is a folder {out} already" in error
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert weights("convert", augreg, "--to", "hf-safetensors", out, "--overwrite")[0] == 0
    assert (out / "config.json").exists() and not (out / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_model_that_a_format_cannot_hold_is_one_sentence(weights, averaged, tmp_path):
    code, _, error = weights("convert", averaged, "--to", "npz", tmp_path / "out")
    assert code == 2 and "cannot hold this SpatioTemporalAttention: " in error
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "flags, words", [((), "averaged (EMA)"), (("--last",), "not their average")]
)
def test_a_run_says_which_parameters_were_taken(weights, averaged, tmp_path, flags, words):
    code, text, _ = weights("convert", averaged, "--to", "hf-safetensors", tmp_path / "hf", *flags)
    assert code == 0 and words in text
    variables, _ = restore_params(averaged / "checkpoints", averaged=not flags)
    expected = flatten_dict(variables["params"], sep="/")
    found = read_weights(tmp_path / "hf").params
    assert equal(found, {path: np.asarray(x) for path, x in expected.items()})
    assert any(x.any() for x in found.values()) == bool(flags)


def test_a_folder_of_hugging_face_has_what_the_run_states(weights, averaged, tmp_path):
    out = tmp_path / "hf"
    weights("convert", averaged, "--to", "hf-safetensors", out)
    config = json.loads((out / "config.json").read_text())
    assert config["architectures"] == ["VivitForVideoClassification"]
    assert config["tubelet_size"] == [2, 8, 8] and config["num_frames"] == 4
    assert len(config["id2label"]) == len(config["label2id"]) == 10
    processor = json.loads((out / "preprocessor_config.json").read_text())
    assert processor["crop_size"] == {"height": 16, "width": 16}
    assert processor["size"] == {"shortest_edge": 18}
    found = read(out).metadata["config"]
    assert found == config
    card = (out / "README.md").read_text()
    for words in ("synthetic: train ", '"peak": 0.01', "Step 0 of 4"):
        assert words in card
    assert card.endswith("## Licence\n\nNot stated by the checkpoint.\n")
    assert str(averaged.parent) not in card


def test_an_upload_that_cannot_be_is_refused_before_anything_is_written(weights, augreg, tmp_path):
    out = tmp_path / "out"
    code, _, error = weights("convert", augreg, "--to", "npz", out, "--push", "hf:org/name")
    assert code == 2 and "use it with --to hf-safetensors" in error
    code, _, error = weights("convert", augreg, "--to", "hf-safetensors", out, "--push", "name")
    assert code == 2 and "is named hf:org/name" in error
    assert not out.exists()
