"""Names of public checkpoints as locations, and how their files are pulled."""

import dataclasses
import hashlib
from pathlib import Path

import fsspec
import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import npz
from scenic_video.weights.locations.public import absent_words, is_public, place_of
from scenic_video.weights.locations.pulling import pull
from scenic_video.weights.locations.reading import read
from scenic_video.weights.registry.public_checkpoint import PublicCheckpoint
from scenic_video.weights.registry.registry import find

NAME = "vit-ti16-augreg-imagenet21k"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def published(cache: Path):
    """A checkpoint in a bucket in memory, whose first mirror is the only one that has it."""
    npz.write(cache.parent / "w", {"x": np.ones(3, np.float32)})
    content = (cache.parent / "w").read_bytes()
    bucket = fsspec.filesystem("memory")
    bucket.pipe("/public/w.npz", content)
    yield PublicCheckpoint(
        name="some-vit",
        publisher="us",
        address="memory://public/moved.npz",
        mirrors=("memory://public/w.npz",),
        num_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    bucket.rm("/public", recursive=True)


def test_a_name_that_was_not_pulled_says_what_to_fetch_and_where_to_put_it(cache):
    with pytest.raises(UserError) as error:
        read(NAME)
    said = str(error.value)
    assert f"scenic-video weights pull {NAME}" in said
    assert find(NAME).address in said and "about 39 MB" in said and "Apache-2.0" in said
    assert str(cache / NAME / find(NAME).file_name) in said


def test_a_file_that_was_put_in_its_place_is_read_by_its_name(cache):
    path = place_of(find(NAME))
    path.parent.mkdir(parents=True)
    npz.write(path, {"x": np.ones(3, np.float32), "img/y": np.zeros(2, np.float32)})
    assert absent_words(NAME) == ""
    assert [*read(NAME).shapes] == ["x", "img/y"]
    assert [*read(f"{NAME}:img").shapes] == ["y"]


def test_a_misspelt_name_is_no_missing_file(cache):
    with pytest.raises(UserError, match=f"Did you mean '{NAME}'"):
        read(NAME.replace("augreg", "augrg"))


def test_files_and_folders_are_no_names(cache):
    (cache.parent / "my-weights").mkdir()
    assert is_public("other-weights") and not is_public("my-weights")
    assert not any(map(is_public, ("runs", "vit.npz", "runs/a-b", "./a-b", "A-b", "gs://a-b")))


def test_a_file_is_pulled_from_the_first_address_that_has_it(cache, published):
    arrived: list[tuple[int, int | None]] = []
    pulled = pull(published, progress=lambda *count: arrived.append(count))
    assert pulled.path == place_of(published) == cache / "some-vit" / "moved.npz"
    assert pulled.address == published.mirrors[0] and arrived[-1] == (pulled.num_bytes,) * 2
    assert pulled.sha256 == published.sha256
    assert [x for x in cache.rglob("*") if x.is_file()] == [pulled.path], "no second copy is kept"
    again = pull(published)
    assert again == dataclasses.replace(pulled, address=None)


def test_a_file_can_be_pulled_to_another_folder(cache, published):
    pulled = pull(published, folder=cache.parent / "downloads")
    assert pulled.path == cache.parent / "downloads" / "moved.npz" and pulled.path.exists()
    assert not place_of(published).exists()


@pytest.mark.parametrize(
    "other, words", [({"sha256": "0" * 64}, "SHA-256"), ({"num_bytes": 7}, "7 |0 MB")]
)
def test_another_file_than_the_published_one_is_refused_and_not_kept(
    cache, published, other, words
):
    with pytest.raises(UserError, match=words) as error:
        pull(dataclasses.replace(published, **other))
    assert "memory://public/moved.npz: there is no such file" in str(error.value)
    assert not [x for x in cache.rglob("*") if x.is_file()]
