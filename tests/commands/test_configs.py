import pytest

from scenic_video.commands.configs import load_config
from scenic_video.config import ConfigError

CONFIG = """
from ml_collections import ConfigDict

def get_config(variant="plain"):
    return ConfigDict(dict(
        dataset="videos.csv",
        preprocessing=dict(num_frames=8),
        model=dict(target="projects.vivit.model:FactorisedEncoder", hidden_size=64,
                   tubelet_size=(2, 8, 8), stochastic_depth_rate=0.0),
        learning_rate=dict(target="scenic_video.optimizers:warmup_cosine", peak=0.1),
        optimizer=dict(target="scenic_video.optimizers:sgd"),
        input=dict(batch_size=8 if variant == "plain" else 16),
        trainer=dict(num_epochs=1),
    ))
"""


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(CONFIG)
    return path


def load(path, *overrides):
    return load_config([f"--config={path}", *overrides])


def test_a_config_is_completed_with_implied_targets(config_file):
    config = load(config_file)
    assert config.trainer.target == "scenic_video.trainer:TrainerOptions"
    assert config.seed == 0


@pytest.mark.parametrize(
    "override, node, field, value",
    [
        ("--config.model.hidden_size=96", "model", "hidden_size", 96),
        ("--config.model.tubelet_size=(2, 4, 4)", "model", "tubelet_size", (2, 4, 4)),
        ("--config.model.stochastic_depth_rate=0", "model", "stochastic_depth_rate", 0.0),
        ("--config.model.dropout_rate=0.1", "model", "dropout_rate", 0.1),
        ("--config.preprocessing.frame_rate=12.5", "preprocessing", "frame_rate", 12.5),
        ("--config.task.label_smoothing=0.3", "task", "label_smoothing", 0.3),
        ("--config.model.dtype=bfloat16", "model", "dtype", "bfloat16"),
    ],
)
def test_any_field_of_a_constructor_can_be_overridden(config_file, override, node, field, value):
    assert load(config_file, override)[node][field] == value


def test_flag_and_value_may_be_two_words(config_file):
    config = load_config(["--config", str(config_file), "--config.model.hidden_size", "96"])
    assert config.model.hidden_size == 96


def test_a_path_can_take_the_place_of_the_dataset_node(config_file):
    config_file.write_text(CONFIG.replace('dataset="videos.csv"', 'dataset=dict(target="a:b")'))
    assert load(config_file, "--config.dataset=other.csv").dataset == "other.csv"


def test_a_variant_reaches_get_config(config_file):
    assert load(f"{config_file}:large").input.batch_size == 16


@pytest.mark.parametrize(
    "override, words",
    [
        ("--config.modle.hidden_size=96", "no 'modle'. Did you mean 'model'"),
        ("--config.model.hiden_size=96", "no field 'hiden_size'. Did you mean 'hidden_size'"),
        ("--config.model.dropout=0.1", "Did you mean 'dropout_rate'"),
        ("--config.model.hidden_size=wide", "is int"),
        ("--config.model.hidden_size=9.5", "is float"),
        ("--config.model=3", "is a node"),
    ],
)
def test_a_wrong_override_is_an_error_that_helps(config_file, override, words):
    with pytest.raises(ConfigError, match=words):
        load(config_file, override)


def test_a_mapping_that_the_config_leaves_out_is_to_be_set_whole(config_file):
    name = "--config.task.modality_dropout"
    with pytest.raises(ConfigError) as error:
        load(config_file, f"{name}.rgb=0.3")
    advice = f"""{name}="{{'rgb': 0.3}}\""""
    assert advice in str(error.value)
    set_whole = load(config_file, advice.replace('"', ""))
    assert set_whole.task.modality_dropout.rgb == 0.3


def test_a_misspelt_config_file_names_the_nearest(config_file):
    with pytest.raises(ConfigError, match="config.py"):
        load(config_file.with_name("confg.py"))


def test_a_misspelt_node_names_the_nearest(config_file):
    config_file.write_text(CONFIG.replace("optimizer=", "optimiser="))
    words = "A config has no field 'optimiser'. Did you mean 'optimizer'"
    with pytest.raises(ConfigError, match=words):
        load(config_file)


def test_a_missing_node_is_named(config_file):
    config_file.write_text(
        CONFIG.replace('optimizer=dict(target="scenic_video.optimizers:sgd"),', "")
    )
    with pytest.raises(ConfigError, match="lacks optimizer"):
        load(config_file)


def test_fields_of_a_dataset_that_is_a_path_can_be_set(config_file):
    config = load(config_file, "--config.dataset=videos", "--config.dataset.multilabel=True")
    assert config.dataset.path == "videos" and config.dataset.multilabel is True


def test_steps_take_the_place_of_epochs(config_file):
    trainer = load(config_file, "--config.trainer.num_steps=7").trainer
    assert trainer.num_steps == 7 and "num_epochs" not in trainer


@pytest.mark.parametrize(
    "name, node",
    [
        ("evaluators.few_shot", {"target": "scenic_video.evaluators.few_shot:FewShot", "shots": 5}),
        ("evaluators", {"few_shot": {"target": "scenic_video.evaluators.few_shot:FewShot"}}),
        ("task", {"target": "my.tasks:Mine", "weight": 0.5}),
        ("dataset", {"target": "my.data:videos", "folder": "clips"}),
        ("model", {"target": "my.models:Mine"}),
    ],
)
def test_a_node_can_be_given_as_a_whole(config_file, name, node):
    found = load(config_file, f"--config.{name}={node}")
    for field in name.split("."):
        found = found[field]
    assert found.to_dict() == node


def test_the_function_that_loads_other_weights_is_that_of_the_model(config_file):
    """And its fields may be set, also where the config names no function."""
    own = load(config_file, "--config.init.kernel=filter_inflation").init
    assert own.target == "projects.vivit.pretrained:start" and own.kernel == "filter_inflation"
    model = "--config.model={'target': 'projects.mtv.model:MTV', 'views': 'B/2'}"
    assert load(config_file, model).init.target == "projects.mtv.pretrained:start"
    stated = "projects.vivit.pretrained:from_image_model"
    assert load(config_file, model, f"--config.init.target={stated}").init.target == stated
    with pytest.raises(ConfigError, match="no field 'kernle'. Did you mean 'kernel'"):
        load(config_file, "--config.init.kernle=central_frame")


def test_a_node_inside_another_gets_its_target(config_file):
    config = load(config_file, "--config.preprocessing.audio={'seconds': 2.0}")
    assert config.preprocessing.audio.target == "scenic_video.modalities.audio:Audio"


def test_none_leaves_a_node_out(config_file):
    overrides = ("--config.augmentation.mixing.mixup_alpha=0.5", "--config.augmentation=None")
    assert load(config_file, *overrides) == load(config_file)


AUGMENTATIONS = """--config.augmentation.rgb=[
    {'target': 'scenic_video.transforms.color_jitter:color_jitter', 'probability': 1.0},
    {'target': 'scenic_video.transforms.random_erasing:random_erasing'},
]"""


@pytest.mark.parametrize("item", ["1", "random_erasing"])
def test_a_field_of_a_node_in_a_list_is_overridden_by_place_or_name(config_file, item):
    override = f"--config.augmentation.rgb.{item}.probability=0.5"
    jitter, erasing = load(config_file, AUGMENTATIONS, override).augmentation.rgb
    assert (jitter["probability"], erasing["probability"]) == (1.0, 0.5)


@pytest.mark.parametrize(
    "field, words",
    [
        ("random_erasin.probability", "the list has no 'random_erasin' .* 'random_erasing'"),
        ("2.probability", r"no '2' \(0 is color_jitter, 1 is random_erasing\)"),
        ("0.probabilty", "no field 'probabilty'. Did you mean 'probability'"),
    ],
)
def test_what_is_not_in_a_list_is_refused(config_file, field, words):
    with pytest.raises(ConfigError, match=words):
        load(config_file, AUGMENTATIONS, f"--config.augmentation.rgb.{field}=0.5")


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["--config.task={'loss': 'sigmoid'}"], "--config.task.loss='sigmoid'"),
        (["--config.dataset={'path': 'x'}"], "--config.dataset.path='x'"),
        (["--config.optimizer=None"], "lacks optimizer"),
        (["--config.evaluators.mine=3"], "evaluators.mine must be a node"),
        (["--config.seed", "=", "3"], "Write --config.seed=3"),
        (["--config.seed=", "3"], "Write --config.seed=VALUE without spaces"),
        (["--config.seed", "=3"], "Write --config.seed=3"),
        (["--config.seed=-1"], "seed is -1; wanted a whole number from 0 up"),
        (["--config.seed=4294967296"], "seed is 4294967296; wanted"),
    ],
)
def test_a_slip_on_the_command_line_is_answered_by_what_to_write(config_file, overrides, words):
    with pytest.raises(ConfigError, match=words):
        load(config_file, *overrides)


def test_a_node_of_a_file_that_is_none_is_named(config_file):
    config_file.write_text(CONFIG.replace("trainer=dict(num_epochs=1)", "trainer=3"))
    with pytest.raises(ConfigError, match="trainer must be a node"):
        load(config_file)
