import pytest

from scenic_video.data.published.lists import video_lists


@pytest.fixture
def splits(write):
    return {"train": write("train.txt", "a.mp4 0\nb.mp4 1\nc.mp4 2\n")}


def test_missing_files_are_counted_and_listed(put, splits):
    with pytest.raises(ValueError) as caught:
        video_lists(splits, root=put("b.mp4"))
    words = str(caught.value)
    assert words.startswith("2 of 3 examples of 'train', whose files are missing: ")
    assert "videos/a.mp4" in words and "videos/c.mp4" in words and "missing='skip'" in words


def test_skipped_files_change_remarks_name_and_fingerprint(put, splits):
    root = put("a.mp4", "b.mp4")
    partial = video_lists(splits, root=root, missing="skip", name="mine")
    (remark,) = partial.remarks
    assert remark.startswith("left out: 1 of 3 examples of 'train'")
    assert partial.name == "mine_without_1" and len(partial.splits["train"]) == 2
    put("c.mp4")
    complete = video_lists(splits, root=root, missing="skip", name="mine")
    assert not complete.remarks
    assert complete.name == "mine" and complete.fingerprint != partial.fingerprint
    assert partial.labels == complete.labels


def test_a_wrong_root_is_an_error_even_if_files_may_be_missing(put, splits):
    with pytest.raises(ValueError, match="`root` is wrong"):
        video_lists(splits, root=put("elsewhere/a.mp4"), missing="skip")


def test_missing_must_be_raise_or_skip(put, splits):
    with pytest.raises(ValueError, match="missing is 'ignore'; wanted 'raise' or 'skip'"):
        video_lists(splits, root=put("a.mp4"), missing="ignore")  # pyright: ignore


def test_a_mapping_of_roots_needs_every_split(put, write):
    from scenic_video.data.published.moments_in_time import moments_in_time

    path = write("validationSet.csv", "run/a.mp4,run,3,0\n")
    with pytest.raises(ValueError, match="has folders for train, but not for 'test'"):
        moments_in_time({"test": path}, root={"train": put("run/a.mp4")})
