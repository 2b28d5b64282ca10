import pytest

from scenic_video.commands.config_files import run_config
from scenic_video.config import ConfigError

CONFIG = """
from ml_collections import ConfigDict

def get_config({parameters}):
    return ConfigDict(dict(variant={value}))
"""
VARIANTS = CONFIG.format(parameters="variant='plain'", value="variant")
NO_VARIANTS = CONFIG.format(parameters="", value="None")


def write(path, text):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("file", ["a.py", "b:c/a.py", "b:c.py"])
def test_a_colon_may_stand_in_a_path(tmp_path, file):
    path = write(tmp_path / file, VARIANTS)
    assert run_config(str(path)).variant == "plain"
    assert run_config(f"{path}:large").variant == "large"


@pytest.mark.parametrize("before", ["", "configs/"])
def test_a_recipe_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch, before):
    monkeypatch.chdir(tmp_path)
    name = "vivit/kinetics400_factorised_encoder_base.py:released"
    assert run_config(before + name).dataset.name == "kinetics400"


@pytest.mark.parametrize(
    "text, variant, words",
    [
        (NO_VARIANTS, ":large", "has no variants; got 'large'"),
        (CONFIG.format(parameters="variant", value="variant"), "", "Choose one"),
        ("import base_of_it\n" + VARIANTS, "", "which is beside it, .* set PYTHONPATH="),
        (
            "import nowhere_at_all\n" + VARIANTS,
            "",
            "neither installed nor in the working directory",
        ),
        ("x = = 1\n", "", "line 1: invalid syntax"),
        ("def get_config():\n    raise ValueError('no such size')\n", "", "c.py: no such size"),
        ("x = 1\n", "", "must define get_config"),
        ("def get_config():\n    return {}\n", "", "must return a ConfigDict; got {}"),
    ],
)
def test_a_config_that_cannot_be_run_is_an_error_that_helps(tmp_path, text, variant, words):
    write(tmp_path / "base_of_it.py", "")
    path = write(tmp_path / "c.py", text)
    with pytest.raises(ConfigError, match=words):
        run_config(f"{path}{variant}")
