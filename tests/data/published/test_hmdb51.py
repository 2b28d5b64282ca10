import pytest

from scenic_video.data.published.hmdb51 import hmdb51
from tests.helpers.errors import message


@pytest.fixture
def lists(tmp_path):
    folder = tmp_path / "splits"
    folder.mkdir()
    (folder / "brush_hair_test_split1.txt").write_text("a b.mp4 1 \nc.mp4 2 \nd.mp4 0 \n")
    (folder / "wave_test_split1.txt").write_text("e.mp4 2 \nf.mp4 1 \n")
    (folder / "wave_test_split2.txt").write_text("e.mp4 1 \n")
    return folder


def test_the_number_after_a_video_is_its_split(lists, put, described):
    root = put("brush_hair/a b.mp4", "brush_hair/c.mkv", "wave/e.mp4", "f.mp4")
    dataset = hmdb51(str(lists), root=root)
    assert dataset.labels.classes == {"label": ("brush_hair", "wave")}
    assert described(dataset, "train") == [
        ("brush_hair/a b.mp4", "brush_hair/a b.mp4", {"label": ("brush_hair",)}),
        ("wave/f.mp4", "f.mp4", {"label": ("wave",)}),
    ]
    assert [path for _, path, _ in described(dataset, "test")] == ["brush_hair/c.mkv", "wave/e.mp4"]


def test_folders_without_lists_and_malformed_lines_are_refused(lists, put):
    root = put("wave/e.mp4")
    assert "no lists of fold 3; they are called <class>_test_split3.txt" in message(
        hmdb51, str(lists), root=root, fold=3
    )
    (lists / "wave_test_split1.txt").write_text("e.mp4 3\n")
    assert "wanted 'video.avi' and 0, 1 or 2, got 'e.mp4 3'" in message(
        hmdb51, str(lists), root=root
    )
