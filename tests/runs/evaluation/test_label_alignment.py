"""Classes of data and of a model are matched by name, or refused."""

import pytest

from scenic_video.config import ConfigError
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.sources.class_names import same_names
from scenic_video.runs.evaluation.label_alignment import aligned_labels
from tests.helpers.errors import message


def clips(*ids):
    return [Example(f"clip {i}", "a.mp4", {"label": (i,)}) for i in ids]


def ids(aligned):
    return [example.labels["label"] for example in aligned.examples]


def test_classes_are_matched_by_name_and_ids_that_are_none_do_not_wrap_around():
    data, model = LabelSpace({"label": ("run", "jump")}), LabelSpace({"label": ("jump", "run")})
    aligned = aligned_labels(clips(0, 1), data, model)
    assert ids(aligned) == [(1,), (0,)]
    assert aligned.remarks == (
        "The data numbers the classes of 'label' differently; names are matched.",
    )
    assert "'clip -1', head 'label': the class id -1 is out of range; the 2" in message(
        aligned_labels, clips(0, 1, -1), data, model
    )
    assert "but the data has labels of nothing. In a manifest" in message(
        aligned_labels, clips(0), LabelSpace({}), model
    )


def test_the_same_labels_need_nothing():
    labels = LabelSpace({"label": ("run", "jump")})
    assert aligned_labels(clips(0, 1), labels, labels).remarks == ()


def test_names_that_differ_are_refused_with_the_offer_to_match_them():
    data = LabelSpace({"label": ("Jump_Rope", "swim", "run")})
    model = LabelSpace({"label": ("run", "jump rope")})
    words = message(aligned_labels, clips(0, 1, 2), data, model)
    assert "2 classes of 'label' that the model was not trained on: Jump_Rope, swim" in words
    assert "--remap-labels ignores case and punctuation, which matches 1 of them" in words
    aligned = aligned_labels(clips(0, 1, 2), data, model, remap=True)
    assert ids(aligned) == [(1,), (0,)]
    assert aligned.remarks == (
        "The data numbers the classes of 'label' differently; names are matched.",
        "1 classes of 'label' are renamed: 'Jump_Rope' as 'jump rope'.",
        "The model lacks 1 of the 3 classes of 'label': swim.",
        "1 of 3 examples are left out.",
    )
    with pytest.raises(ConfigError, match="No example is left"):
        aligned_labels(clips(1), data, model, remap=True)


def test_a_name_that_could_be_two_classes_is_none():
    assert same_names(["Run!", "sit"], ["run", "run.", "Sit"]) == {"sit": "Sit"}
    assert same_names(["run."], ["run", "run."]) == {"run.": "run."}
