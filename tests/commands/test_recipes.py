"""`scenic-video recipes` lists what is asked for, and is quick about it."""

import subprocess
import sys

import pytest

from scenic_video import cli
from scenic_video.commands import recipes
from tests.configs.published import RECIPES


def listed(capsys, *arguments):
    assert cli.main(["recipes", *arguments]) == 0
    return capsys.readouterr().out


def test_a_recipe_is_a_line_with_its_model_cost_and_printed_result(capsys):
    line = next(x for x in listed(capsys).splitlines() if "factorised_encoder_base.py:printed" in x)
    for cell in ("FactorisedEncoder B", "kinetics400", "284.4 x 12", "115.1", "top1 78.8"):
        assert cell in line


@pytest.mark.parametrize(
    "flag, field, wanted",
    [
        ("--project=mtv", "project", "mtv"),
        ("--data=kinetics", "data", "kinetics"),
        ("--model=tokenlearnervivit", "model", "TokenLearnerViViT"),
    ],
)
def test_filters_leave_those_of_a_project_a_data_set_or_a_model(flag, field, wanted, capsys):
    matching = [r for r in RECIPES if wanted in getattr(r, field)]
    assert 0 < len(matching) < len(RECIPES)
    assert listed(capsys, flag).lstrip().startswith(f"{len(matching)} recipes")


def test_filters_are_all_met(capsys):
    out = listed(capsys, "--project=mtv", "--data=epic", "--model=audio")
    assert out.lstrip().startswith("2 recipes")


def test_what_no_recipe_has_is_an_error_that_says_what_there_is(capsys):
    assert cli.main(["recipes", "--project=mtv", "--data=imagenet"]) == 2
    assert "kinetics400" in capsys.readouterr().err


def test_results_of_ours_stand_apart_from_printed_ones():
    row = {"GFLOPs": "1", "top1": "80.0", "JFT top1, top5": "81.0, 95.0", "ours top1": "79.5"}
    recipe = recipes.Recipe("x/y.py", row, None)
    assert recipe.results(ours=False) == "top1 80.0, JFT top1 81.0, top5 95.0"
    assert recipe.results(ours=True) == "top1 79.5"


def test_a_docstring_without_a_table_has_no_rows():
    assert recipes.read_table("About a model of 3 GFLOPs.\n\nNothing else.") == []


def test_listing_imports_neither_jax_nor_a_project():
    code = """
import sys
from scenic_video import cli
assert cli.main(["recipes"]) == 0
assert not {"jax", "flax", "projects"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
