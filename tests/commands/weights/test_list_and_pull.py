"""`scenic-video weights list` and `scenic-video weights pull`."""

import json

import numpy as np
import pytest

from scenic_video.weights.containers import npz
from scenic_video.weights.locations.public import place_of
from scenic_video.weights.registry.registry import checkpoints, find

NAME = "vit-b8-augreg-imagenet21k"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path))
    return tmp_path


def test_all_are_listed_with_what_is_known(weights):
    code, said, _ = weights("list")
    assert code == 0 and f"{len(checkpoints())} public checkpoints" in said
    lines = [line.split() for line in said.splitlines()]
    assert [[name] for name in checkpoints()] == [
        x[:1] for x in lines if x[:1] and x[0] in checkpoints()
    ]
    assert "not known" in next(line for line in said.splitlines() if NAME in line)


def test_a_filter_is_a_part_of_a_name_a_paper_or_a_publisher(weights):
    rows = json.loads(weights("list", "multiview", "--json")[1])
    assert {row["name"].split("-")[0] for row in rows} == {"mtv"}
    assert rows[0]["model"]["views"] == "B/2+S/4+Ti/8" and not rows[0]["is_here"]
    code, _, error = weights("list", "nothing-like-it")
    assert code == 2 and "'nothing-like-it'" in error


def test_a_file_that_is_there_is_hashed_and_an_unknown_hash_is_said(weights):
    path = place_of(find(NAME))
    path.parent.mkdir()
    npz.write(path, {"x": np.zeros(3, np.float32)})
    code, said, _ = weights("pull", NAME)
    assert code == 0 and str(path) in said and "it was there already" in said
    assert "that of the published file is not known" in said
    assert json.loads(weights("list", NAME, "--json")[1])[0]["is_here"]


def test_a_misspelt_name_is_one_sentence(weights):
    code, _, error = weights("pull", NAME[:-1])
    assert code == 2 and f"Did you mean '{NAME}'" in error
