"""Data names readers, runs name models; neither calls anything else."""

import json

import pytest

from scenic_video.cli import main
from scenic_video.commands.recipes import find_recipes
from scenic_video.config import ConfigError, resolve
from scenic_video.data.sources.datasets import READERS, open_dataset
from scenic_video.trust import check_run, targets_in

HOSTILE = {"target": "os:mkdir", "path": "made-by-data"}


@pytest.mark.parametrize(
    "node",
    [
        HOSTILE,
        {"target": "scenic_video.data.sources.datasets:manifest", "splits": HOSTILE},
        {"target": "scenic_video.data.sources.datasets:manifest", "splits": {"train": [HOSTILE]}},
        {
            "target": "scenic_video.data.synthetic:synthesize",
            "directory": "x",
            "num_clips": 9,
        },
        {"target": ["os:mkdir"]},
    ],
)
def test_a_file_of_data_calls_nothing_but_readers(node, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_text(json.dumps(node))
    assert main(["data", "check", "x.json"]) == 2
    assert "Data may only name a reader" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("fields", [HOSTILE | {"splits": {}}, {"splits": {"train": HOSTILE}}])
def test_a_folder_of_data_calls_nothing(fields, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps(fields))
    with pytest.raises(ConfigError, match="os:mkdir"):
        open_dataset(tmp_path)
    assert not (tmp_path / "made-by-data").exists()


@pytest.mark.parametrize("splits", [None, 3, "train.csv", ["train.csv"], {"train": 3}])
def test_a_folder_of_data_says_its_splits_by_name(splits, tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"splits": splits}))
    with pytest.raises(ValueError, match="'splits' must name a manifest"):
        open_dataset(tmp_path)


def test_all_readers_exist():
    assert all(callable(resolve(target)) for target in READERS)


def test_a_run_of_any_recipe_needs_no_trust():
    configs = [recipe.config.to_dict() for recipe in find_recipes()]
    assert all(list(targets_in(config)) for config in configs)
    for config in configs:
        check_run(config, run="runs/of_elsewhere", trust=False)


def test_a_run_that_any_optimizer_of_optax_trained_needs_no_trust():
    for target in ("optax:lion", "optax.contrib:muon", "scenic_video.optimizers:WeightDecay"):
        optimizer = {"target": "scenic_video.optimizers:chain", "direction": {"target": target}}
        check_run({"optimizer": optimizer}, run="runs/of_elsewhere", trust=False)


@pytest.mark.parametrize(
    "target",
    [
        "os:system",
        "optax._src.alias:lion",
        "optax_of_elsewhere:lion",
        "scenic_video.cli:main",
        "scenic_video.atomic_files:replacing",
        "scenic_video.data.sources.datasets:build",
        "scenic_video.data.synthetic:synthesize",
        "scenic_video.data.sources.datasets:read_json",
        "scenic_video.layers.attention:jax",
        "projects.vivit.model:_VideoTransformer",
        "projects_of_elsewhere.model:Model",
        "projects.vivit.model:nn",
    ],
)
def test_a_run_that_names_other_code_is_refused_unless_trusted(target):
    config = {"model": {"target": "projects.vivit.model:ViT", "inner": [{"target": target}]}}
    with pytest.raises(ConfigError, match="--trust|neither a class nor a function"):
        check_run(config, run="runs/of_elsewhere", trust=False)
    check_run(config, run="runs/of_elsewhere", trust=True)


def test_an_augmentation_of_a_list_that_is_other_code_is_refused_unless_trusted():
    ours = {"target": "scenic_video.transforms.color_jitter:color_jitter"}
    check_run({"augmentation": {"rgb": [ours]}}, run="runs/of_elsewhere", trust=False)
    config = {"augmentation": {"rgb": [ours, {"target": "mine:darker"}]}}
    with pytest.raises(ConfigError, match="mine:darker"):
        check_run(config, run="runs/of_elsewhere", trust=False)
    check_run(config, run="runs/of_elsewhere", trust=True)
