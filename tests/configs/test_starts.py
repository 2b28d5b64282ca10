"""What recipes start from: the runs of other recipes, or public checkpoints that fit them."""

import functools
import json
import os
import re
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.mtv.views import read_views
from scenic_video.commands.configs import load_config
from scenic_video.commands.recipes import CONFIGS, Recipe
from scenic_video.config import build
from scenic_video.layers import sizes
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.initialization.absent_sources import absent_sources
from scenic_video.runs.initialization.weights import check_positions, transferred
from scenic_video.weights.containers import npz
from scenic_video.weights.locations.public import place_of
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.registry.registry import find
from tests.configs.published import RECIPES, data_of, each, labels_of, of_each_file, task_of
from tests.helpers.drawn import leaves, parameters

BY_WORKDIR = {recipe.workdir: recipe for recipe in RECIPES}
TRAINED_BY = {
    "vivit-b-kinetics400": "runs/vivit/kinetics400_joint_base",
    "vivit-b-fe-kinetics400": "runs/vivit/kinetics400_factorised_encoder_base_printed",
    "mtv-b-kinetics400": "runs/mtv/kinetics400_base",
    "mtv-b-kinetics700": "runs/mtv/kinetics700_base",
    "mtv-l-kinetics600": "runs/mtv/kinetics600_large",
    "av-mae-l-vggsound": "runs/avmae/pretraining_vggsound_800",
    "av-mae-l-audioset": "runs/avmae/pretraining_audioset_120",
    "av-mae-l-audioset-audio": "runs/avmae/pretraining_audioset_audio",
    "videoprism-b": "runs/vivit/kinetics400_videoprism_base",
    "videoprism-l": "runs/vivit/kinetics400_videoprism_large",
}
"""Public checkpoints of the models of recipes; those of others are image models."""
FAST_STARTS = (
    "vivit/kinetics400_input_encoding_base.py:random",
    "mtv/kinetics400_depth.py:b4_14_layers",
    "tokenlearner/imagenet_fuser.py:b16_16_at_6_fuser",
)
SMALL = {
    "vivit/kinetics400_temporal_layers_base.py:1": {},
    "mtv/kinetics400_slowfast.py:fast": {"model.uniform_frames": 4},
    "mtv/kinetics400_fusion.py:ti16": {"preprocessing.num_frames": 16},
    "tokenlearner/imagenet_base.py:s32_8_at_6": {"preprocessing.num_frames": 1},
    "avmae/mbt_vggsound.py:audiovisual": {"preprocessing.audio.seconds": 0.5},
}
"""A recipe per project, at the real size of its model, and what makes its clips small."""


@pytest.mark.parametrize("recipes", of_each_file(RECIPES))
def test_a_run_starts_where_a_recipe_ends_or_from_a_public_checkpoint(recipes):
    for recipe in recipes:
        workdirs, names = starts(recipe)
        assert {*workdirs} <= {*BY_WORKDIR}, recipe.name
        assert all(find(name) for name in names), recipe.name


def test_a_recipe_of_public_weights_has_their_sizes_and_their_inputs():
    for name, workdir in TRAINED_BY.items():
        config, checkpoint = BY_WORKDIR[workdir].config.to_dict(), find(name)
        model = {"views": None} | config["model"]
        for field, value in checkpoint.model.items():
            assert model[field] == value, f"{name}: {field}"
        for field, value in (checkpoint.preprocessing or {}).items():
            if field not in ("resize", "audio", "rgb"):
                assert config["preprocessing"].get(field, 224) == value, f"{name}: {field}"


def test_an_image_model_fits_the_model_that_starts_from_it():
    for recipe in RECIPES:
        model = recipe.config.model.to_dict()
        views = read_views(model["views"]) if "views" in model else ()
        for name in set(starts(recipe)[1]) - {*TRAINED_BY}:
            own = find(name).model
            if views:
                assert own["hidden_size"] in {view.hidden_size for view in views}, recipe.name
                continue
            same = ("hidden_size", "mlp_dim", "num_heads")
            assert [model[x] for x in same] == [own[x] for x in same], recipe.name
            patch = model.get("patch_size", model.get("tubelet_size", (16, 16)))[-2:]
            is_new = "embedding/.*" in recipe.config.init.get("allow_random", ())
            assert is_new or tuple(patch) == own["patch_size"], recipe.name


def starts(recipe) -> tuple[list[str], list[str]]:
    """The workdirs, also of weights converted from them, and the public checkpoints that a recipe
    starts from."""
    workdirs, names = _listed(recipe.config.init.workdir), _listed(recipe.config.init.path)
    converted = [name for name in names if name.removesuffix(".npz") in BY_WORKDIR]
    workdirs += [name.removesuffix(".npz") for name in converted]
    return workdirs, [name for name in names if name not in converted]


def _listed(named) -> list[str]:
    return [named] if isinstance(named, str) and named else list(named)


@pytest.fixture
def narrow(monkeypatch):
    """All sizes narrow, but as deep and with as many heads."""
    for fields in sizes.SIZES.values():
        width = 8 * fields["num_heads"]
        monkeypatch.setitem(fields, "hidden_size", width)
        monkeypatch.setitem(fields, "mlp_dim", width)


@pytest.mark.parametrize("recipe", each([r for r in RECIPES if any(starts(r))], fast=FAST_STARTS))
def test_a_run_starts_from_the_weights_it_names(recipe, narrow):
    """The weights fit, at full depth and of all clip sizes; only widths are others."""
    workdirs, names = starts(recipe)
    sources = [weights_in(start) for start in workdirs + names]
    config = reread(recipe)
    target = weights_of(config)
    params, report = transferred(config.config.init.to_dict(), target=target, sources=sources)
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, target.params)
    assert any(row.source for row in report.rows)
    for workdir in workdirs:
        trained: Any = task_of(reread(BY_WORKDIR[workdir]))
        tuned: Any = task_of(config)
        check_positions(workdir, trained.model, tuned.model)


def reread(recipe) -> Recipe:
    """The recipe as it is with the sizes of now."""
    variant = f":{recipe.variant}" if recipe.variant else ""
    return Recipe(
        recipe.file, recipe.row, load_config([f"--config={CONFIGS / recipe.file}{variant}"])
    )


@functools.cache
def weights_in(start) -> ModelWeights:
    """Those of a run, or of a public checkpoint; as narrow as the model that starts from them."""
    workdir = TRAINED_BY.get(start, start)
    if workdir in BY_WORKDIR:
        return weights_of(reread(BY_WORKDIR[workdir]))
    public = find(start)
    node = {"target": "projects.vivit.model:ViT"} | public.model
    model = build(node, num_classes=7)
    inputs = {"rgb": (1, 224, 224)}
    example = jnp.zeros((*inputs["rgb"], 3))
    return ModelWeights(zeros(lambda: model.init(jax.random.key(0), rgb=example)), inputs)


def weights_of(recipe) -> ModelWeights:
    preprocessing: Any = build(recipe.config.preprocessing.to_dict())
    example = example_batch(preprocessing, labels_of(data_of(recipe)))
    params = zeros(lambda: task_of(recipe).init(jax.random.key(0), example))
    return ModelWeights(params, preprocessing.input_sizes)


def zeros(init) -> Any:
    params = jax.eval_shape(init)["params"]
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), params)


def test_every_start_that_is_not_there_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path / "cache"))
    for recipe in RECIPES:
        said = "\n".join(absent_sources(recipe.config.init.to_dict()))
        workdirs, names = starts(recipe)
        for name in names:
            assert f"weights pull {name}`" in said and find(name).web_address in said
            assert str(place_of(find(name))) in said, recipe.name
        assert all(re.search(f"no (trained run|file) '{run}", said) for run in workdirs), (
            recipe.name
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_trains_from_the_file_of_its_start(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path / "cache"))
    recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    for start in starts(recipe)[1]:
        write_as_published(start)
    data = {"target": "scenic_video.data.synthetic:dataset", "directory": str(tmp_path / "clips")}
    fields = {
        "dataset": data | {"num_clips": 12, "size": 64, "seconds": 1.0},
        "preprocessing.num_frames": 4,
        "preprocessing.stride": 1,
        "preprocessing.resize": 64,
        "preprocessing.crop": 64,
        "input.batch_size": 2,
        "evaluation.views": "1x1",
        "evaluation.batch_size": 2,
        "learning_rate": {"target": "scenic_video.optimizers:warmup_cosine", "peak": 0.1},
        "trainer.num_steps": 1,
        **SMALL[name],
    }
    flags = [f"--config.{field}={value}" for field, value in fields.items()]
    workdir = tmp_path / "run"
    subprocess.run(
        [sys.executable, "-m", "scenic_video.cli", "train", f"--config={name}"]
        + [f"--workdir={workdir}", *flags],
        env={**os.environ, "XLA_FLAGS": ""},  # one device, and compiled code that is fast
        check=True,
        timeout=1800,
    )
    origins = json.loads((workdir / "initial_weights.json").read_text())
    assert all(any(start in source for source in origins["sources"]) for start in starts(recipe)[1])
    assert (workdir / "checkpoints").is_dir()


def write_as_published(name: str) -> None:
    """A random file with the arrays of a public ViT, by the names that its publisher gave them."""
    public = find(name)
    own = {"representation_size": public.model["hidden_size"]} if "augreg" not in name else {}
    node = {"target": "projects.vivit.model:ViT"} | public.model | own
    model: Any = build(node, num_classes=21843)
    params = leaves(parameters(model, rgb=np.zeros((1, 224, 224, 3), np.float32)))
    path = place_of(public)
    path.parent.mkdir(parents=True)
    npz.write(path, {published_name(ours): array for ours, array in params.items()})


def published_name(path: str) -> str:
    """Modules of a block are numbered together in these files."""
    for ours, theirs in (
        ("output_projection", "head"),
        ("LayerNorm_1", "LayerNorm_2"),
        ("MultiHeadDotProductAttention_0", "MultiHeadDotProductAttention_1"),
        ("MlpBlock_0", "MlpBlock_3"),
    ):
        path = path.replace(ours, theirs)
    return path
