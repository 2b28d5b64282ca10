import json

import pytest

from scenic_video.data.published.something_something import something_something

LABELS = {"Pushing something": "1", "Holding something next to something": "0"}
TRAIN = [
    {
        "id": "78687",
        "label": "holding potato next to vicks vaporub bottle",
        "template": "Holding [something] next to [something]",
        "placeholders": ["potato", "vicks vaporub bottle"],
    },
    {
        "id": "42326",
        "label": "pushing a cup",
        "template": "Pushing [something]",
        "placeholders": ["a cup"],
    },
]


def test_a_template_without_brackets_is_the_class(put, write, described):
    dataset = something_something(
        {"train": write("train.json", json.dumps(TRAIN))},
        labels=write("labels.json", json.dumps(LABELS)),
        root=put("78687.webm", "42326.webm"),
    )
    assert dataset.labels.classes["label"] == (
        "Holding something next to something",
        "Pushing something",
    )
    assert described(dataset, "train") == [
        ("78687", "78687.webm", {"label": ("Holding something next to something",)}),
        ("42326", "42326.webm", {"label": ("Pushing something",)}),
    ]
    assert not dataset.flip_safe


def test_a_test_set_without_labels_is_an_error(put, write):
    labels = write("labels.json", json.dumps(LABELS))
    with pytest.raises(ValueError, match="entry 0 has no 'id' or no 'template', only id"):
        something_something(
            {"test": write("test.json", '[{"id": "1420"}]')}, labels=labels, root=put("1420.webm")
        )


def test_labels_must_be_numbered_from_0(put, write):
    labels = write("labels.json", '{"Pushing something": "1"}')
    with pytest.raises(ValueError, match="are not 0, 1, 2"):
        something_something({}, labels=labels, root=put("1.webm"))
