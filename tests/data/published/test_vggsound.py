import pytest

from scenic_video.data.published.vggsound import vggsound

LINES = """---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,"playing volleyball, outdoors",train
--0PQM4-hqg,40,people marching,train
"""


def test_one_file_without_a_header_holds_all_splits(put, write, described):
    root = put(
        "---g-f_I2yQ_000001.mp4", "--0PQM4-hqg_000030.mp4", "--0PQM4-hqg_40.mkv", "unrelated.mp4"
    )
    dataset = vggsound(write("vggsound.csv", LINES), root=root)
    assert dataset.labels.classes == {"label": ("people marching", "playing volleyball, outdoors")}
    assert described(dataset, "test") == [
        ("---g-f_I2yQ_000001", "---g-f_I2yQ_000001.mp4", {"label": ("people marching",)})
    ]
    assert [id for id, *_ in described(dataset, "train")] == [
        "--0PQM4-hqg_000030",
        "--0PQM4-hqg_000040",
    ]


def test_lines_of_too_few_cells_are_an_error(put, write):
    with pytest.raises(ValueError, match="line 1 has 2 cells; wanted 4: id, start"):
        vggsound(write("vggsound.csv", "a,1\n"), root=put("a_000001.mp4"))
