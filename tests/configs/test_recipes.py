"""What recipes say of themselves is so: their fields, their variants, their costs, their starts."""

import ast
import functools
import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.mtv.views import read_views
from scenic_video.commands.configs import load_config
from scenic_video.commands.recipes import CONFIGS, Recipe, find_recipes
from scenic_video.config import ConfigError, build, resolve
from scenic_video.layers import sizes
from scenic_video.runs.config_nodes import NO_INIT
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.initialization.weights import check_positions, transferred
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.registry.registry import find
from tests.configs.published import HEADS, MULTILABEL, RECIPES, THOUSANDS, costs, labels_of, task_of

PUBLISHED = [recipe for recipe in RECIPES if recipe.data in THOUSANDS]
BY_WORKDIR = {recipe.workdir: recipe for recipe in RECIPES}
FILES = sorted({recipe.file for recipe in RECIPES})
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
FAST_COSTS = (
    "vivit/kinetics400_factorised_encoder_base.py:printed",
    "mtv/kinetics400_fusion.py:b4",
)
FAST_STARTS = (
    "vivit/kinetics400_input_encoding_base.py:random",
    "mtv/kinetics400_depth.py:b4_14_layers",
    "tokenlearner/imagenet_fuser.py:b16_16_at_6_fuser",
)


def each(recipes, fast):
    """Test parameters; all but those called `fast` are slow."""
    return [
        pytest.param(r, id=r.name, marks=() if r.name in fast else pytest.mark.slow)
        for r in recipes
    ]


def of_each_file(recipes):
    """Test parameters: the recipes of a file, for tests that take no time of their own."""
    files = dict.fromkeys(r.file for r in recipes)
    return [pytest.param([r for r in recipes if r.file == file], id=file) for file in files]


def docstring_of(file):
    return ast.get_docstring(ast.parse((CONFIGS / file).read_text())) or ""


def test_every_config_of_a_project_is_a_recipe():
    files = {p.relative_to(CONFIGS).as_posix() for p in CONFIGS.glob("*/*.py")}
    assert {f for f in files if not f.endswith(("__init__.py", "common.py"))} <= {*FILES}


def test_no_two_recipes_have_the_same_name_or_workdir():
    assert len(BY_WORKDIR) == len({recipe.name for recipe in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("file", FILES)
def test_a_docstring_has_the_paper_and_the_command_of_one_of_its_recipes(file):
    text = re.sub(r"\\?\s+", " ", docstring_of(file))
    commands = re.findall(r"scenic-video train --config=configs/(\S+) --workdir=(\S+)", text)
    known = {recipe.name: recipe.workdir for recipe in RECIPES if recipe.file == file}
    assert commands and all(known.get(name) == workdir for name, workdir in commands)
    assert re.search(r"et al\.", text) or "synthetic" in text


@pytest.mark.parametrize("file", [file for file in FILES if f"{file}" not in BY_WORKDIR])
def test_the_table_of_a_config_has_all_variants_and_no_other(file):
    known = [recipe.variant for recipe in RECIPES if recipe.file == file]
    if known == [""]:
        return
    with pytest.raises(ValueError, match="'none'") as error:
        load_config([f"--config={CONFIGS / file}:none"])
    assert str(error.value).partition("there are ")[2].rstrip(".").split(", ") == known


@pytest.mark.parametrize("recipes", of_each_file(RECIPES))
def test_augmentations_are_of_modalities_that_are_read(recipes):
    for recipe in recipes:
        config = recipe.config.to_dict()
        modalities = config["preprocessing"].get("modalities", ("rgb",))
        build(config["augmentation"]).check(modalities)


@pytest.mark.parametrize("recipes", of_each_file(RECIPES))
def test_every_field_is_one_of_the_constructor(recipes):
    for recipe in recipes:
        assert recipe.data in HEADS, recipe.name
        for name, whole in recipe.config.items():
            for node in _nodes(whole) if name not in ("seed", "evaluators") else ():
                known = inspect.signature(resolve(node.target)).parameters
                apart = {"target"} | ({*NO_INIT} if name == "init" else set())
                taken = any(p.kind is p.VAR_KEYWORD for p in known.values())
                unknown = set() if taken else set(node) - set(known) - apart
                assert not unknown, f"{recipe.name}: {name} has {unknown}"


def _nodes(node):
    """A node and those in it."""
    if hasattr(node, "items"):
        yield from [node] if "target" in node else []
        for inner in node.values():
            yield from _nodes(inner)


@pytest.mark.parametrize("recipes", of_each_file(RECIPES))
def test_the_rate_of_a_recipe_rises_to_its_peak_and_falls(recipes):
    for recipe in recipes:
        config = recipe.config.learning_rate
        schedule = build(config.to_dict(), num_steps=20_000, steps_per_epoch=100)
        rates = [schedule(step) for step in (0, 15_000, 19_999)]
        assert rates[0] < config.peak and rates[1] > rates[2], recipe.name


@pytest.mark.parametrize("recipes", of_each_file(PUBLISHED))
def test_training_costs_what_the_table_says(recipes):
    """Backwards is twice forwards, but costs nothing in what is frozen; GFLOPs count a multiply-add
    once."""
    for recipe in recipes:
        clips = THOUSANDS[recipe.data] * 1e3
        trainer = recipe.config.trainer
        steps = trainer.get("num_steps", 0) * recipe.config.input.batch_size
        seen = steps or clips * trainer.num_epochs
        passes = 1 if trainer.get("freeze") else 3
        exact = 2 * passes * number(recipe, "GFLOPs") * seen / 1e9
        stated = recipe.row["EFLOP"]
        assert abs(float(stated) - exact) <= 0.51 * last_digit(stated), recipe.name


@pytest.mark.parametrize("recipe", each(RECIPES, fast=FAST_COSTS))
def test_a_view_and_the_model_cost_what_the_table_says(recipe):
    for column, exact in zip(("GFLOPs", "M params"), costs(recipe), strict=True):
        stated, _, printed = recipe.row[column].partition(" ")
        assert abs(float(stated) - exact) <= 0.51 * last_digit(stated)
        assert not printed or abs(float(printed.strip("()")) - exact) > last_digit(printed) / 2


def number(recipe, column):
    return float(recipe.row[column].split()[0])


def last_digit(text):
    return 10.0 ** -len(text.strip("()").partition(".")[2])


@pytest.mark.parametrize("recipes", of_each_file(RECIPES))
def test_results_are_percentages_under_the_columns_of_their_metrics(recipes):
    for recipe in recipes:
        results = ", ".join(recipe.results(ours=ours) for ours in (True, False))
        for result in filter(None, results.split(", ")):
            assert re.fullmatch(r"\D.* \d+(\.\d+)?", result), recipe.name
            assert 0 < float(result.split()[-1]) <= 100, recipe.name


def test_results_with_private_data_are_marked_as_not_reproducible():
    for file in FILES:
        columns = " ".join(c for r in RECIPES if r.file == file for c in r.row)
        if re.search("JFT|WTS|X\\(2", columns):
            assert "NOT REPRODUCIBLE" in docstring_of(file)


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
    """The workdirs and the public checkpoints that a recipe starts from."""
    return _listed(recipe.config.init.workdir), _listed(recipe.config.init.path)


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
    example = example_batch(preprocessing, labels_of(recipe.data))
    params = zeros(lambda: task_of(recipe).init(jax.random.key(0), example))
    return ModelWeights(params, preprocessing.input_sizes)


def zeros(init) -> Any:
    params = jax.eval_shape(init)["params"]
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), params)


@pytest.mark.parametrize("recipes", of_each_file(RECIPES))
def test_labels_are_one_or_several_as_the_data_set_has_them(recipes):
    for recipe in recipes:
        reader = "charades" if recipe.data == "charades" else "audioset"
        target = recipe.config.dataset.target
        several = reader in target and "published" in target
        assert (recipe.data in MULTILABEL) == several, recipe.name


def test_a_row_of_another_length_than_its_header_is_an_error(tmp_path):
    (tmp_path / "broken.py").write_text('"""Broken.\n\n    GFLOPs  EFLOP\n    1.0\n"""\n')
    with pytest.raises(ConfigError, match="GFLOPs"):
        list(find_recipes(tmp_path))
