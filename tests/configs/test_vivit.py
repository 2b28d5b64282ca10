"""The ViViT runs say what the paper's table 7 says."""

import inspect

import pytest

from scenic_video.config import resolve
from tests.configs.published import RECIPES

TABLE_7 = {
    # rate, epochs, colour jitter, RandAugment, stochastic depth, smoothing, mixup, stride
    "kinetics400": (0.1, 30, 0.8, (0, 0), 0.0, 0.0, 0.0, 2),
    "kinetics600": (0.1, 30, 0.8, (0, 0), 0.0, 0.0, 0.0, 2),
    "moments_in_time": (0.25, 10, 0.8, (0, 0), 0.0, 0.0, 0.0, 2),
    "epic_kitchens": (0.5, 50, 0.0, (2, 15), 0.2, 0.2, 0.1, 1),
    "something_something": (0.5, 35, 0.0, (2, 20), 0.3, 0.3, 0.3, 1),
}
RELEASED = {"kinetics400": 0.05, "kinetics600": 0.05, "something_something": 0.4}
LADDER = {
    "augmentation": (0.5, 50, 0.8, (0, 0), 0.0, 0.0, 0.0, 1),
    "kinetics_start": (0.5, 50, 0.8, (0, 0), 0.0, 0.0, 0.0, 1),
    "stochastic_depth": (0.5, 50, 0.8, (0, 0), 0.2, 0.0, 0.0, 1),
    "randaugment": (0.5, 50, 0.0, (2, 15), 0.2, 0.0, 0.0, 1),
    "label_smoothing": (0.5, 50, 0.0, (2, 15), 0.2, 0.2, 0.0, 1),
    "mixup": TABLE_7["epic_kitchens"],
}
RUNS = [
    recipe
    for recipe in RECIPES
    if recipe.config.model.target.startswith("projects.vivit.model:")
    and recipe.data in TABLE_7
    and recipe.project == "vivit"
]


def field(node, name):
    """A field of a node, or what its constructor takes without it."""
    return node.get(name, inspect.signature(resolve(node.target)).parameters[name].default)


@pytest.mark.parametrize("recipe", RUNS, ids=lambda recipe: recipe.name)
def test_the_recipe_is_that_of_table_7(recipe):
    config = recipe.config
    augmentations = {node["target"].split(":")[1]: node for node in config.augmentation.rgb}
    found = (
        config.learning_rate.peak,
        config.trainer.num_epochs,
        augmentations.get("color_jitter", {}).get("probability", 0.0),
        tuple(augmentations.get("randaugment", {}).get(x, 0) for x in ("num_layers", "magnitude")),
        field(config.model, "stochastic_depth_rate"),
        field(config.task, "label_smoothing"),
        field(config.augmentation.mixing, "mixup_alpha"),
        config.preprocessing.stride,
    )
    expected = TABLE_7[recipe.data]
    if recipe.variant == "released":
        expected = (RELEASED[recipe.data], *expected[1:])
    if "regularisation" in recipe.file:
        expected = LADDER[recipe.variant]
    assert found == expected
    assert config.input.batch_size == 64 and config.learning_rate.warmup_epochs == 2.5
