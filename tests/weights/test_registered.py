"""What the registry adds to the weights of a public checkpoint."""

import dataclasses

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.families.family import Weights
from scenic_video.weights.registered import completed
from scenic_video.weights.registry.registry import find

PUBLIC = find("vivit-b-kinetics400")
BARE = Weights(family="ViViT", params={"x": np.zeros(1, np.float32)})


def test_what_the_file_does_not_state_is_added():
    found = completed(BARE, PUBLIC)
    assert found.preprocessing == PUBLIC.preprocessing
    assert found.inputs == {"rgb": (32, 224, 224)}
    assert found.labels is None and not found.notes


def test_what_the_file_states_counts_and_a_difference_is_noted():
    labels = {"label": ("a", "b")}
    stated = {"num_frames": 32, "stride": 4, "frame_rate": 25}
    found = completed(dataclasses.replace(BARE, preprocessing=stated, labels=labels), PUBLIC)
    assert found.preprocessing == {**(PUBLIC.preprocessing or {}), **stated}
    assert found.labels == labels
    assert found.notes == ("its file states preprocessing.stride = 4, the registry 2",)


def test_a_file_of_another_model_is_refused():
    model = {"target": "projects.vivit.model:SpatioTemporalAttention", "hidden_size": 1024}
    with pytest.raises(UserError, match="is another model: hidden_size 1024 instead of 768"):
        completed(dataclasses.replace(BARE, model=model), PUBLIC)
