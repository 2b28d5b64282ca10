"""The ViViT runs say what the paper's table 7 says, and what their docstrings promise is so."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from scenic_video.commands.configs import load_config
from scenic_video.config import build, resolve
from scenic_video.flops import num_parameters

FOLDER = Path(__file__).parents[2] / "configs" / "vivit"
CLASSES = {
    "kinetics400": 400,
    "kinetics600": 600,
    "moments_in_time": 339,
    "epic_kitchens100": 397,
    "something_something_v2": 174,
}
TABLE_7 = {
    # rate, epochs, colour jitter, RandAugment, stochastic depth, smoothing, mixup, stride
    "kinetics400": (0.1, 30, 0.8, (0, 0), 0.0, 0.0, 0.0, 2),
    "kinetics600": (0.1, 30, 0.8, (0, 0), 0.0, 0.0, 0.0, 2),
    "moments_in_time": (0.25, 10, 0.8, (0, 0), 0.0, 0.0, 0.0, 2),
    "epic_kitchens100": (0.5, 50, 0.0, (2, 15), 0.2, 0.2, 0.1, 1),
    "something_something_v2": (0.5, 35, 0.0, (2, 20), 0.3, 0.3, 0.3, 1),
}
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in ("__init__", "common"))
VARIANTS = {
    "kinetics400_joint_large": ("224", "288", "320"),
    "kinetics400_input_encoding_base": (
        "central_frame",
        "filter_inflation",
        "random",
        "uniform_frames",
    ),
    "ssv2_factorised_encoder_large": ("printed", "released"),
}
RUNS = [
    f"{name}:{variant}" if variant else name
    for name in NAMES
    for variant in VARIANTS.get(name, ("",))
]


def load(run):
    name, colon, variant = run.partition(":")
    config: Any = load_config([f"--config={FOLDER / name}.py{colon}{variant}"])
    return config, config.dataset.splits.train.split("/")[1]


def field(node, name):
    """A field of a node, or what its constructor takes without it."""
    default = inspect.signature(resolve(node.target)).parameters[name].default
    return node.get(name, default)


@pytest.mark.parametrize("run", RUNS)
def test_every_field_is_one_of_the_constructor(run):
    config, _ = load(run)
    for name, node in config.items():
        if name == "seed":
            continue
        target = node.get("target", "scenic_video.weights.initialize:initialize")
        known = inspect.signature(resolve(target)).parameters
        unknown = set(node) - set(known) - {"target"} - ({"workdir"} if name == "init" else set())
        assert not unknown, f"{name} has {unknown}"


@pytest.mark.parametrize("run", RUNS)
def test_the_recipe_is_that_of_table_7(run):
    config, data = load(run)
    recipe = (
        config.learning_rate.peak,
        config.trainer.num_epochs,
        field(config.transform, "color_jitter"),
        (
            field(config.transform, "randaugment_layers"),
            field(config.transform, "randaugment_magnitude"),
        ),
        field(config.model, "stochastic_depth_rate"),
        config.task.label_smoothing,
        config.task.mixup_alpha,
        config.preprocessing.stride,
    )
    expected = TABLE_7[data]
    if run.endswith(":released"):
        expected = (0.4, *expected[1:])
    assert recipe == expected
    assert config.input.batch_size == 64 and config.learning_rate.warmup_epochs == 2.5
    assert field(config.dataset, "flip_safe") == (data != "something_something_v2")


@pytest.mark.parametrize("run", RUNS)
def test_the_grid_that_a_run_starts_with_is_that_of_its_clips(run):
    config, _ = load(run)
    time, height, width = config.model.tubelet_size
    frames = config.model.get("uniform_frames") or config.preprocessing.num_frames // time
    grid = (frames, config.preprocessing.crop // height, config.preprocessing.crop // width)
    assert config.init.get("grid", grid) == grid


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_training_cost_are_as_the_docstring_says(name):
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text())) or ""
    config, data = load(name)
    model = build(config.model.to_dict(), num_classes=CLASSES[data])
    crop = config.preprocessing.crop
    millions = num_parameters(model, rgb=(1, 32, crop, crop, 3)) / 1e6
    if printed := re.search(r"([\d.]+) M parameters", text):
        assert abs(millions - float(printed[1])) < 0.1  # cut or rounded
    numbers = re.search(r"([\d.]+) GFLOPs.*training (\d+) EFLOP \((\d+)k", text, re.DOTALL)
    if numbers:
        gflops, total, thousands = map(float, numbers.groups())
        exact = 6 * gflops * thousands * 1e3 * config.trainer.num_epochs / 1e9
        assert abs(total - exact) <= 0.6
    assert f"--config=configs/vivit/{name}.py" in text


def test_variants_that_do_not_exist_are_errors():
    for name in VARIANTS:
        with pytest.raises(ValueError, match="'none'"):
            load(f"{name}:none")
