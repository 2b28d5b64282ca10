"""`--dry-run`, without data and without initial weights."""

from typing import Any

import numpy as np
import pytest

from scenic_video import cli
from scenic_video.config import ConfigError, build
from scenic_video.data.examples import random_subset
from scenic_video.data.synthetic.labels import columns_of_heads
from scenic_video.runs import absent_data
from scenic_video.runs.outlines import PUBLISHED, outline_of
from scenic_video.runs.plan import in_order, peak_rate
from tests.configs.published import HEADS, RECIPES, data_of

FAST = ("avmae/synthetic_mbt.py:late",)
ONE_OF_EACH = {(recipe.project, recipe.data): recipe.name for recipe in RECIPES}.values()
SMALL = [
    "--config.model.num_layers=1",
    "--config.model.temporal_num_layers=1",
]


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A folder without data and without runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in FAST else pytest.mark.slow, id=name)
        for name in dict.fromkeys([*FAST, *ONE_OF_EACH])
    ],
)
def test_a_recipe_can_be_tried_by_its_name_without_data(fresh, capsys, name):
    assert cli.main(["train", f"--config={name}", "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "parameters" in said and "warning:" in said
    assert not any(fresh.iterdir())


def test_of_every_recipe_the_classes_and_sizes_are_known_without_data(fresh):
    for recipe in RECIPES:
        dataset = absent_data.outline_where_absent(recipe.config.to_dict()["dataset"])
        assert dataset is not None, recipe.name
        assert dataset.labels.num_classes == HEADS[data_of(recipe)], recipe.name
        assert {"train", "test"} <= {*dataset.splits}


def test_what_is_not_there_is_named_by_its_field(fresh, capsys):
    name = "vivit/kinetics400_factorised_encoder_base.py:printed"
    assert cli.main(["train", f"--config={name}", "--dry-run", *SMALL]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "dataset.splits.test names 'data/kinetics400/validate.csv'" in said
    assert "(nor do the paths of dataset.splits.train, dataset.root)" in said
    assert "weights pull vit-b16-imagenet21k" in said
    assert "240,000" in said and "400 classes" in said


def test_a_run_on_data_that_is_not_there_says_which_field_and_what_else_it_takes(fresh, capsys):
    name = "vivit/kinetics400_factorised_encoder_base.py:printed"
    assert cli.main(["train", f"--config={name}", "--workdir=run"]) == 2
    said = capsys.readouterr().err
    assert "dataset.splits.train" in said and "--config.dataset=FOLDER" in said
    assert not any(fresh.iterdir())


def test_a_dry_run_on_data_of_unknown_size_says_what_is_not_there(fresh, capsys):
    assert cli.main(["train", "--config=your_videos.py", "--dry-run"]) == 2
    assert "dataset names 'videos'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "node, words",
    [
        ({"target": "mine.data:videos", "root": "nowhere"}, ""),
        ({"target": "scenic_video.data.sources.datasets:tfds", "name": "kinetics"}, ""),
        ("tfds:kinetics", ""),
        (".", ""),
        (
            {"target": "scenic_video.data.sources.datasets:class_folders", "directory": "x"},
            "directory",
        ),
        (
            {"target": "scenic_video.data.sources.datasets:open_dataset", "path": "x"},
            "dataset.path",
        ),
        ("no_such_folder", "dataset names"),
    ],
)
def test_only_files_that_readers_of_this_package_name_are_looked_for(fresh, node, words):
    assert words in absent_data.absent(node)
    assert bool(words) == bool(absent_data.absent(node))


def test_an_outline_of_synthetic_clips_is_what_is_then_made(fresh):
    fields = {"directory": "clips", "num_clips": 7, "heads": ["event"], "size": 16, "seconds": 0.2}
    node = {"target": "scenic_video.data.synthetic:dataset", **fields}
    planned = outline_of(node)
    made = build(node)
    assert planned is not None and planned.labels == made.labels
    assert planned.flip_safe == made.flip_safe
    assert {k: len(v) for k, v in planned.splits.items()} == {
        split: len(examples) for split, examples in made.splits.items()
    }
    assert outline_of(node) is None, "they are there now"
    with pytest.raises(ValueError, match="no label 'evnt'"):
        outline_of({**node, "directory": "others", "heads": ["evnt"]})
    assert columns_of_heads(("event",)) == {"event": "event"}


def test_examples_of_an_outline_can_be_counted_and_chosen():
    train = PUBLISHED["epic_kitchens"].outline("epic_kitchens").splits["train"]
    assert len(random_subset(train, 5)) == 5 and len(train[:7]) == 7
    assert train[0].labels == {"noun": (0,), "verb": (0,)}
    with pytest.raises(IndexError):
        train[len(train)]


def test_augmentation_is_shown_in_the_order_in_which_it_is_applied():
    fields = ("target", "mixing", "audio", "geometry", "rgb")
    config: dict[str, Any] = {
        "preprocessing": {"modalities": ("rgb", "audio")},
        "augmentation": dict.fromkeys(fields),
    }
    config["augmentation"]["rgb"] = [{"probability": 0.5, "target": "a:b"}]
    shown = in_order(config)
    assert [*shown["augmentation"]["rgb"][0]] == ["target", "probability"]
    assert [*shown["augmentation"]] == ["target", "geometry", "rgb", "audio", "mixing"]


@pytest.mark.parametrize("warmup", [0, 1, 17, 1234, 999_000])
@pytest.mark.parametrize("kind", ["warmup_cosine", "warmup_linear", "constant"])
def test_the_peak_rate_is_found_without_looking_at_every_step(kind, warmup):
    num_steps = 1_000_000
    node = {"target": f"scenic_video.optimizers:{kind}", "peak": 0.3, "warmup_steps": warmup}
    schedule = build(node, num_steps=num_steps, steps_per_epoch=100)
    looked_at = []

    def rate(step):
        looked_at.append(step)
        return float(schedule(step))

    assert peak_rate(rate, num_steps) == max(schedule(np.arange(num_steps)))
    assert len(looked_at) < 500


@pytest.mark.parametrize("num_steps", [1, 2, 101])
def test_the_peak_rate_of_a_short_run(num_steps):
    assert peak_rate(lambda step: 1.0 - step / 200, num_steps) == 1.0


def test_starting_weights_that_are_not_there_are_an_error_of_a_run(fresh, capsys):
    overrides = ["--config.trainer.num_steps=2", "--config.dataset.num_clips=4"]
    overrides += ["--config.init.workdir=runs/other", "--config.learning_rate.warmup_epochs=0"]
    overrides += [f"--config.model.{layers}=1" for layers in ("num_layers", "temporal_num_layers")]
    overrides += ["--config.dataset.size=16", "--config.dataset.seconds=0.2"]
    command = ["train", "--config=quickstart.py", "--workdir=run", *overrides]
    assert cli.main(command) == 2
    assert "'runs/other', which init.workdir names" in capsys.readouterr().err


def test_config_errors_are_the_users():
    with pytest.raises(ConfigError):
        absent_data.refuse_absent("nowhere")
