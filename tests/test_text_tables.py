from scenic_video.text_tables import text_table


def test_columns_are_aligned_and_no_line_ends_in_spaces():
    table = text_table(("name", "", "shape"), [("a/b", "", "[2, 3]"), ("kernel", "new", "")])
    assert table.splitlines() == ["name         shape", "a/b          [2, 3]", "kernel  new"]


def test_text_in_brackets_is_no_markup_and_no_line_is_folded():
    path = "[bold]" + "encoder/" * 100
    assert text_table(("path",), [(path,)]) == f"path\n{path}"
