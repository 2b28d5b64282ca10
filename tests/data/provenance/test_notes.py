"""A folder of generated files is used again only for the same settings and source."""

import pytest

from scenic_video.data.provenance.notes import Note, claim
from tests.helpers.errors import message


def test_a_folder_is_claimed_for_one_note(tmp_path):
    note = Note({"size": 32, "crf": None}, source="a")
    for _ in range(2):
        claim(tmp_path, "made.json", note, contents=["train"])
    assert Note.from_json((tmp_path / "made.json").read_text()) == note
    for other, difference in (
        (Note({"size": 64, "crf": None}, source="a"), "settings: size=32 instead of 64. "),
        (Note({"size": 32, "crf": None}, source="b"), "settings: source=a instead of b. "),
        (Note({"size": 32}), "settings: source=a instead of None. "),
    ):
        assert difference in message(claim, tmp_path, "made.json", other, contents=[])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": 1}'])
def test_what_is_no_note_is_an_error(tmp_path, text):
    (tmp_path / "made.json").write_text(text)
    assert Note.from_json(text) is None
    assert "it is damaged" in message(claim, tmp_path, "made.json", Note({}), contents=[])


def test_a_folder_with_such_files_but_no_note_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    words = message(claim, tmp_path, "made.json", Note({}), contents=["test", "train"])
    assert "contains train but no made.json: it was not made here" in words
    assert not (tmp_path / "made.json").exists()
