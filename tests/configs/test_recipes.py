"""What recipes say of themselves is so: their fields, their variants, their costs."""

import ast
import inspect
import re

import pytest

from scenic_video.commands.configs import load_config
from scenic_video.commands.recipes import CONFIGS, find_recipes
from scenic_video.config import ConfigError, build, resolve
from scenic_video.runs.config_nodes import NO_INIT
from tests.configs.published import (
    HEADS,
    MULTILABEL,
    RECIPES,
    THOUSANDS,
    costs,
    each,
    of_each_file,
)

PUBLISHED = [recipe for recipe in RECIPES if recipe.data in THOUSANDS]
BY_WORKDIR = {recipe.workdir: recipe for recipe in RECIPES}
FILES = sorted({recipe.file for recipe in RECIPES})
FAST_COSTS = (
    "vivit/kinetics400_factorised_encoder_base.py:printed",
    "mtv/kinetics400_fusion.py:b4",
)


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
