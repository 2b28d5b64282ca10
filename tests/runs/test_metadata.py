import pytest

from scenic_video.runs.config_nodes import complete
from scenic_video.runs.metadata import changed_fields
from tests.commands.test_configs import CONFIG


def config(**changed):
    found = {}
    exec(CONFIG, found)
    nodes = complete(found["get_config"]().to_dict())
    for name, value in changed.items():
        *parents, field = name.split("__")
        node = nodes
        for parent in parents:
            node = node[parent]
        node[field] = value
    return nodes


@pytest.mark.parametrize(
    "field, value",
    [
        ("model__dropout_rate", 0.0),
        ("model__dropout_rate", 0),
        ("model__stochastic_depth_rate", 0),
        ("optimizer__momentum", 0.9),
        ("trainer__micro_batches", 1),
        ("trainer__eval_every", 7),
        ("trainer__checkpoint_every", 7),
        ("trainer__log_every", 3),
        ("trainer__max_bad_steps", 50),
        ("preprocessing__modalities", ["rgb"]),
    ],
)
def test_what_changes_no_number_may_change(field, value):
    assert changed_fields(config(), config(**{field: value})) == []
    assert changed_fields(config(**{field: value}), config()) == []


@pytest.mark.parametrize(
    "field, value",
    [
        ("model__dropout_rate", 0.5),
        ("optimizer__momentum", 0.5),
        ("trainer__micro_batches", 2),
        ("trainer__ema_decay", 0.9),
        ("seed", 1),
        ("augmentation__geometry__scale_jitter", (0.9, 1.1)),
    ],
)
def test_what_changes_numbers_is_named_with_both_values(field, value):
    (line,) = changed_fields(config(), config(**{field: value}))
    assert line.startswith(field.replace("__", ".")) and line.endswith(
        f"-> {list(value) if isinstance(value, tuple) else value}"
    )
    assert changed_fields(config(**{field: value}), config())


def test_augmentations_of_a_list_are_compared_one_by_one():
    def listed(**fields):
        target = "scenic_video.transforms.color_jitter:color_jitter"
        return config(augmentation__rgb=[{"target": target} | fields])

    assert changed_fields(listed(), listed(probability=0.8)) == []
    assert changed_fields(listed(), listed(probability=0.5)) == [
        "augmentation.rgb.0.probability: 0.8 -> 0.5"
    ]
    changes = changed_fields(config(), listed())
    assert any(line.startswith("augmentation.rgb.0.target: None -> ") for line in changes)


def test_code_that_only_the_saved_config_names_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "of_elsewhere.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    (line,) = changed_fields(config(model__target="of_elsewhere:Model"), config())
    assert line.startswith("model.target: 'of_elsewhere:Model' -> ")
