"""Files of class names."""

import pytest

from scenic_video.data.sources.class_names import read_class_names
from tests.helpers.errors import message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "run\njump, high\n\nsit\n"),
        ("names.csv", 'id,name\n1,"jump, high"\n0,run\n2,sit\n'),
        ("names.csv", 'run,0\n"jump, high",1\nsit,2'),
        ("names.csv", 'run\n"jump, high"\nsit'),
        ("names.tsv", "0\trun\n1\tjump, high\n2\tsit\n"),
    ],
)
def test_names_are_read_in_the_order_of_their_ids(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    assert read_class_names(tmp_path / name) == ("run", "jump, high", "sit")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,run\n2,sit", "the ids of 2 classes must be 0 to 1; got 1 to 2"),
        ("0,run\n0,sit", "has the id 0 twice"),
        ("0,run\n1,run", "has the class 'run' twice"),
        ("0,run\nsit,down", "wanted an id and a name in each line; got 'sit,down'"),
        ("", "has no class names"),
    ],
)
def test_files_that_leave_an_id_unclear_are_refused(text, words, tmp_path):
    (tmp_path / "names.csv").write_text(text)
    assert words in message(read_class_names, tmp_path / "names.csv")
    assert "no file of class names" in message(read_class_names, tmp_path / "absent")
