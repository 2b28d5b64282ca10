"""A run that starts from the weights of others."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.vivit.model import ViT
from scenic_video.checkpoints import Checkpoints, restore_params
from scenic_video.commands.configs import load_config
from scenic_video.commands.console import Terminal
from scenic_video.config import ConfigError
from scenic_video.data import synthetic
from scenic_video.data.examples import LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.experiment import build_experiment
from scenic_video.runs.initialization.state import banner, start_state
from scenic_video.runs.initialization.weights import transferred
from scenic_video.sharding import put_batch
from scenic_video.trainer import Steps, TrainState
from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.runs import CONFIG as CONFIG_OF_RUN
from tests.helpers.runs import MBT as AUDIOVISUAL_MBT

SIZES: list[dict[str, Any]] = [
    {"hidden_size": 16, "mlp_dim": 16, "num_layers": 1, "num_heads": 2},
    {"hidden_size": 8, "mlp_dim": 16, "num_layers": 1, "num_heads": 2},
]
CONFIG = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(dict(
        dataset=dict(target="scenic_video.data.synthetic:dataset", directory={data!r},
                     num_clips=20, size=32, seconds=0.7),
        preprocessing=dict(num_frames={num_frames}, stride=2, resize=18, crop=16),
        input=dict(batch_size=8),
        model={model!r},
        init={init!r},
        learning_rate=dict(target="scenic_video.optimizers:warmup_cosine", peak=1e-2),
        optimizer=dict(target="scenic_video.optimizers:adamw"),
        trainer=dict(num_steps=1),
        evaluation=dict(split="test", batch_size=8),
    ))
"""


def start(folder: Path, **nodes: Any) -> tuple[TrainState, str]:
    """The state that a run of this model and init starts from."""
    path, fields = folder / "config.py", {"data": str(folder / "clips"), "num_frames": 4} | nodes
    path.write_text(CONFIG.format(**fields))
    experiment = build_experiment(load_config([f"--config={path}"]).to_dict())
    with Checkpoints(folder / "run" / "checkpoints") as checkpoints:
        return start_state(
            experiment, experiment.compile(), checkpoints, folder / "run", Terminal()
        )


def image_run(
    workdir: Path,
    *,
    step: int,
    meta: dict[str, Any] | None = None,
    size: tuple[int, int] = (16, 16),
    **fields: Any,
) -> dict[str, Any]:
    """Leaves the checkpoint of an image model; returns its parameters."""
    model = ViT(**fields, num_classes=3, patch_size=(8, 8))
    rgb = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
    shapes: Any = jax.eval_shape(lambda rgb: model.init(jax.random.key(0), rgb=rgb), rgb)
    random = np.random.default_rng(step)
    params = jax.tree.map(
        lambda leaf: random.normal(size=leaf.shape).astype(np.float32), shapes["params"]
    )
    at = jnp.asarray(step, jnp.int32)
    state = TrainState(at, jax.device_put(params), {}, {}, None, jnp.zeros_like(at))
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        checkpoints.save(step, state, meta or {}, block=True)
    return params


def test_a_run_starts_from_several_others(tmp_path, capsys):
    coarse, fine = tmp_path / "coarse", tmp_path / "fine"
    sources = {
        0: image_run(coarse, step=7, **SIZES[1]),
        1: image_run(fine, step=9, **SIZES[0]),
    }
    views = [SIZES[0] | {"tubelet_size": (2, 8, 8)}, SIZES[1] | {"tubelet_size": (4, 8, 8)}]
    model = {"target": "projects.mtv.model:MTV", "views": views, "global_mlp_dim": 16}
    model |= {"global_num_layers": 1, "global_num_heads": 2}
    init = {"target": "projects.mtv.pretrained:from_image_models"}
    init |= {"workdir": (str(coarse), str(fine))}
    state, start_words = start(tmp_path, model=model, init=init)
    assert start_words == f"INIT from the weights of {coarse} (step 7), {fine} (step 9); step 0"
    assert "view1/Transformer" in capsys.readouterr().out
    for view, source in sources.items():
        kernel = state.params[f"embedding_view{view}"]["kernel"]
        middle = kernel[kernel.shape[0] // 2]
        np.testing.assert_array_equal(middle, source["embedding"]["kernel"])
    assert int(state.step) == 0


@pytest.mark.parametrize(
    ("trained", "changed", "message"),
    [
        ("sinusoidal", {"positions": "sinusoidal_1d"}, "positions 'sinusoidal', the first patch"),
        ("sinusoidal_1d", {"classifier": "gap"}, "at 1; this ViT has 'sinusoidal_1d', .* at 0"),
    ],
)
def test_weights_trained_with_other_fixed_positions_are_refused(
    trained, changed, message, tmp_path
):
    """No parameter shows fixed positions, nor whether they count a class token."""
    fields = SIZES[0] | {"positions": trained}
    node = {"target": "projects.vivit.model:ViT", "patch_size": (8, 8), **fields}
    labels = {"classes": {"object": ["a", "b", "c"]}, "multilabel": False}
    meta = {"config": {"model": node}, "labels": labels}
    params = image_run(tmp_path / "images", step=1, meta=meta, **fields)
    init = {"target": f"{__name__}:backbone", "workdir": str(tmp_path / "images")}
    nodes = {"num_frames": 1, "model": node | changed}
    with pytest.raises(ConfigError, match=message):
        start(tmp_path, **nodes, init=init)
    state, _ = start(tmp_path, **nodes, init=init | {"allow_other_positions": True})
    np.testing.assert_array_equal(
        state.params["embedding"]["kernel"], params["embedding"]["kernel"]
    )


def test_the_inputs_of_an_image_run_give_the_rows_and_columns_of_its_positions(tmp_path, capsys):
    """8 positions of 2 x 4 patches; 2 x 2 here. Without a config they are unknown."""
    node = {"target": "projects.vivit.model:ViT", "patch_size": (8, 8), **SIZES[0]}
    labels = {"classes": {"object": ["a", "b", "c"]}, "multilabel": False}
    seen = Preprocessing(num_frames=1, resize=16, crop=(16, 32)).to_dict()
    meta = {"config": {"model": node}, "labels": labels, "preprocessing": seen}
    known, unknown = tmp_path / "known", tmp_path / "unknown"
    image_run(known, step=1, meta=meta, size=(16, 32), **SIZES[0])
    image_run(unknown, step=1, size=(16, 32), **SIZES[0])
    init = {"target": "projects.vivit.pretrained:from_image_model"}
    nodes = {"num_frames": 1, "model": node}
    start(tmp_path, **nodes, init=init | {"workdir": str(known)})
    assert "resample 2 x 4 to 2 x 2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="8 positions .*set init.source_grid"):
        start(tmp_path, **nodes, init=init | {"workdir": str(unknown)})
    start(tmp_path, **nodes, init=init | {"workdir": str(unknown), "source_grid": (2, 4)})
    assert "resample 2 x 4 to 2 x 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("workdir", "stated", "grids"),
    [
        ("a", None, [None]),
        ("a", (2, 4), [(2, 4)]),
        ("a", ((2, 4), (1, 2)), [((2, 4), (1, 2))]),  # of two views
        (("a", "b"), (2, 4), [(2, 4), (2, 4)]),
        (("a", "b"), ((2, 4), (1, 2)), [(2, 4), (1, 2)]),
    ],
)
def test_a_grid_is_stated_for_all_sources_or_for_each(workdir, stated, grids):
    init = {"target": f"{__name__}:grids_of", "workdir": workdir, "source_grid": stated}
    sources = [ModelWeights({})] * len(grids)
    assert transferred(init, target=ModelWeights({}), sources=sources)[0] == grids


def test_as_many_grids_are_stated_as_there_are_sources():
    init = {"target": f"{__name__}:grids_of", "workdir": ("a", "b"), "source_grid": ((2, 4),)}
    with pytest.raises(ConfigError, match="has 1 entries, but there are 2 sources"):
        transferred(init, target=ModelWeights({}), sources=[ModelWeights({})] * 2)


def grids_of(*, source, target):
    sources = source if isinstance(source, list) else [source]
    return [source.grid for source in sources], LoadReport((), ())


def backbone(*, source, target):
    """All but the head, and a class token that the target lacks."""
    takes = {path: Take(path) for path in target.flat if "output" not in path}
    free = {
        "allow_random": ["output_projection/.*"],
        "allow_unused": ["output_projection/.*", "cls"],
    }
    return initialize(source=source, target=target, takes=takes, **free)


def test_frozen_weights_of_another_run_stay_beside_averages_of_the_trained(tmp_path):
    """From the start over a step of training to a checkpoint, and what is read of that."""
    node = {"target": "projects.vivit.model:ViT", "patch_size": (8, 8), **SIZES[0]}
    source = image_run(tmp_path / "images", step=1, **SIZES[0])
    init = {"target": f"{__name__}:backbone", "workdir": str(tmp_path / "images")}
    fields = {"data": str(tmp_path / "clips"), "num_frames": 1, "model": node, "init": init}
    (tmp_path / "config.py").write_text(CONFIG.format(**fields))
    freeze = "--config.trainer.freeze=('^(?!output_projection)',)"
    flags = [f"--config={tmp_path / 'config.py'}", freeze, "--config.trainer.ema_decay=0.5"]
    flags.append("--config.trainer.num_steps=3")
    experiment = build_experiment(load_config(flags).to_dict())
    steps, folder = experiment.compile(), tmp_path / "run" / "checkpoints"
    with Checkpoints(folder) as checkpoints:
        state, _ = start_state(experiment, steps, checkpoints, tmp_path / "run")
        first = jax.device_get(state.params["output_projection"])
        jax.tree.map(np.testing.assert_array_equal, dict(state.eval_params), dict(state.params))
        batch = example_batch(experiment.preprocessing, experiment.dataset.labels)
        batch = jax.tree.map(lambda x: np.repeat(np.asarray(x), 8, axis=0), batch)
        state, _ = steps.train(state, put_batch(batch, steps.mesh, 8))
        checkpoints.save(1, state, experiment.checkpoint_meta(), block=True)
    with Checkpoints(folder) as checkpoints:
        resumed, _ = start_state(experiment, steps, checkpoints, tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, resumed, state)
    evaluated = restore_params(folder)[0]["params"]
    assert set(state.ema_params) == {"output_projection"}
    np.testing.assert_array_equal(evaluated["cls"], source["cls"])
    last = jax.device_get(state.params["output_projection"])
    assert not np.array_equal(first["kernel"], last["kernel"])
    average = jax.tree.map(lambda a, b: (a + b) / 2, first, last)
    for leaf, expected in average.items():
        np.testing.assert_allclose(evaluated["output_projection"][leaf], expected, rtol=1e-6)


def test_the_banner_says_what_labels_are_not_as_they_were_meant(config, tmp_path):
    experiment = build_experiment(load_config([f"--config={config}"]).to_dict())
    assert "to look at" not in banner(experiment, tmp_path)
    names = ("nan", *experiment.dataset.labels.classes["action"][1:])
    labels = dataclasses.replace(experiment.dataset.labels, classes={"action": names})
    dataset = dataclasses.replace(
        experiment.dataset, labels=labels, remarks=("left out: 1 file hidden",)
    )
    said = banner(dataclasses.replace(experiment, dataset=dataset), tmp_path)["to look at"]
    empty = "1 class of 'action' looks like an empty cell: 'nan'"
    assert said.splitlines() == ["left out: 1 file hidden", empty]


def test_a_run_is_not_resumed_with_other_statistics_of_its_audio(save_run, tmp_path):
    workdir = save_run(tmp_path / "run", AUDIOVISUAL_MBT)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        experiment = build_experiment(checkpoints.read_meta()["config"])
        steps = experiment.compile()
        _, start_words = start_state(experiment, steps, checkpoints, workdir)
        assert start_words.startswith("RESUME")
        modalities = experiment.preprocessing.modalities
        other = dataclasses.replace(modalities["audio"], mean=0.5)
        preprocessing = dataclasses.replace(
            experiment.preprocessing, modalities=modalities | {"audio": other}
        )
        measured_anew = dataclasses.replace(experiment, preprocessing=preprocessing)
        with pytest.raises(ConfigError, match="preprocessing.audio.mean: 0.0 -> 0.5"):
            start_state(measured_anew, steps, checkpoints, workdir)


def test_a_head_of_other_classes_is_loaded_only_as_the_config_says(save_run, tmp_path, capsys):
    """As many other classes would fit, and give wrong names."""
    workdir = save_run(tmp_path / "run", CONFIG_OF_RUN)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        config = checkpoints.read_meta()["config"]
        trained, _ = restore_params(workdir / "checkpoints")
    config["init"] |= {"workdir": str(workdir)}
    experiment = build_experiment(config)
    names = experiment.dataset.labels.classes["action"]
    turned = LabelSpace({"action": ("something new", *names[:0:-1])})  # the others, backwards
    experiment = dataclasses.replace(
        experiment, dataset=dataclasses.replace(experiment.dataset, labels=turned)
    )
    steps = experiment.compile()
    with pytest.raises(ConfigError, match=r"one of other classes: .*init\.head=by_name to keep"):
        started(experiment, tmp_path, steps)
    head = trained["params"]["output_projection"]["kernel"]

    new, _ = started(with_head(experiment, "new"), tmp_path, steps)
    random, _ = started(with_head(experiment, None, workdir=""), tmp_path, steps)
    np.testing.assert_array_equal(*(x.params["output_projection"]["kernel"] for x in (new, random)))

    named, _ = started(with_head(experiment, "by_name"), tmp_path, steps)
    kept = np.asarray(named.params["output_projection"]["kernel"])
    np.testing.assert_array_equal(kept[:, 1:], np.asarray(head)[:, :0:-1])
    np.testing.assert_array_equal(kept[:, 0], new.params["output_projection"]["kernel"][:, 0])
    np.testing.assert_array_equal(
        named.params["embedding"]["kernel"], trained["params"]["embedding"]["kernel"]
    )
    assert (
        f"{len(names) - 1} of {len(names)} classes of the head are kept" in capsys.readouterr().out
    )


def test_weights_that_were_never_trained_are_warned_of(save_run, tmp_path, capsys):
    trained = save_run(tmp_path / "trained", CONFIG_OF_RUN)
    with Checkpoints(trained / "checkpoints") as checkpoints:
        experiment = build_experiment(checkpoints.read_meta()["config"])
    steps = experiment.compile()
    with Checkpoints(tmp_path / "untrained" / "checkpoints") as checkpoints:
        checkpoints.save(0, steps.init(), experiment.checkpoint_meta(), block=True)
    stated = {}
    for name in ("trained", "untrained"):
        started(with_head(experiment, None, workdir=str(tmp_path / name)), tmp_path, steps)
        report = tmp_path / "new" / "initial_weights"
        said = report.with_suffix(".txt").read_text()
        stated[name] = json.loads(report.with_suffix(".json").read_text())
        assert said.splitlines()[-1] in capsys.readouterr().out.replace("\n", " ")
        assert ("WARNING" in said) == (name == "untrained")
    batch = stated["trained"]["first_batch"]
    assert batch["change"] > 0.1 and batch["warnings"] == [] and batch["statistic"] == "features"
    batch = stated["untrained"]["first_batch"]
    assert batch["change"] == 0 and "differ by only 0 of their norm" in batch["warnings"][0]
    assert "without loaded weights: SpatialTransformer, " in batch["warnings"][0]
    assert "equal the random initialisation" in stated["untrained"]["warnings"][0]


def test_an_error_about_a_head_of_another_width_names_the_remedy(save_run, tmp_path):
    workdir = save_run(tmp_path / "run", CONFIG_OF_RUN)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        config = checkpoints.read_meta()["config"]
    config["init"] |= {"workdir": str(workdir)}
    experiment = build_experiment(config | {"dataset": config["dataset"] | {"target": OTHER}})
    with pytest.raises(ValueError, match="cannot initialise this model") as error:
        started(experiment, tmp_path)
    assert "--config.init.head=new" in error.value.__notes__[0]


def started(experiment, folder: Path, steps: Steps | None = None) -> tuple[TrainState, str]:
    with Checkpoints(folder / "new" / "checkpoints") as checkpoints:
        steps = steps or experiment.compile()
        return start_state(experiment, steps, checkpoints, folder / "new", Terminal())


def with_head(experiment, head, **fields):
    init = experiment.config["init"] | {"head": head} | fields
    return dataclasses.replace(experiment, config=experiment.config | {"init": init})


def two_actions(**fields):
    """The synthetic clips, of which only two actions are told apart."""
    dataset = synthetic.dataset(**fields)
    splits = {
        name: [
            dataclasses.replace(example, labels={"action": (example.labels["action"][0] % 2,)})
            for example in examples
        ]
        for name, examples in dataset.splits.items()
    }
    labels = LabelSpace({"action": dataset.labels.classes["action"][:2]})
    return dataclasses.replace(dataset, splits=splits, labels=labels, fingerprint="")


OTHER = f"{__name__}:two_actions"


def test_a_source_whose_model_is_of_a_third_party_needs_trust(save_run, tmp_path, monkeypatch):
    (tmp_path / "third_party_model.py").write_text(
        "from projects.vivit.model import FactorisedEncoder\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    target = {"model.target": "third_party_model:FactorisedEncoder"}
    workdir = save_run(tmp_path / "run", CONFIG_OF_RUN, **target)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        config = checkpoints.read_meta()["config"]
    config["init"] |= {"workdir": str(workdir)}
    with pytest.raises(ConfigError, match=r"--config\.init\.trust=True"):
        started(build_experiment(config), tmp_path)
    config["init"]["trust"] = True
    assert int(started(build_experiment(config), tmp_path)[0].step) == 0
