import pytest

from scenic_video.data.sources.labels import label_space, to_examples
from scenic_video.data.sources.manifest import read_manifest
from tests.helpers.errors import message


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


# Reading


def test_a_row_becomes_path_times_id_and_labels(write, tmp_path):
    path = write("path,start,end,id,verb,noun\na/b.mp4,1.5,00:01:02.25,clip,cut,onion\n")
    (row,) = read_manifest(path)
    assert row.path == str(tmp_path / "a/b.mp4")
    assert (row.start, row.end, row.id) == (1.5, 62.25, "clip")
    assert row.labels == {"verb": ("cut",), "noun": ("onion",)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "path,start,label\nx.mp4,2,jump\ny.mp4,,run\n"),
        ("a.tsv", "path\tstart\tlabel\nx.mp4\t2\tjump\ny.mp4\t\trun\n"),
        (
            "a.jsonl",
            '{"path": "x.mp4", "start": 2, "label": "jump"}\n{"path": "y.mp4", "label": "run"}\n',
        ),
        (
            "a.jsonl",
            '{"path": "x.mp4", "start": "2.0", "label": ["jump"]}\n\n'
            '{"path": "y.mp4", "start": null, "label": "run"}',
        ),
    ],
)
def test_all_formats_hold_the_same_rows(write, name, text):
    rows = read_manifest(write(text, name))
    assert [(row.id, row.start, row.end, row.labels["label"]) for row in rows] == [
        ("x.mp4#2.0-", 2.0, None, ("jump",)),
        ("y.mp4", 0.0, None, ("run",)),
    ]


def test_byte_order_marks_spaces_quotes_and_empty_lines_are_ignored(write):
    text = 'path , label\r\n\r\n  a.mp4 ,  jump \r\n"b, c.mp4", "run fast"\r\n , \r\n'
    rows = read_manifest(write(text, encoding="utf-8-sig"))
    assert [(row.id, row.labels["label"]) for row in rows] == [
        ("a.mp4", ("jump",)),
        ("b, c.mp4", ("run fast",)),
    ]
    assert rows[1].place.endswith("train.csv, line 4")


def test_relative_paths_start_at_the_root_and_absolute_ones_are_kept(write, tmp_path):
    path = write("path,label\na.mp4,x\n/far/b.mp4,x\n")
    rows = read_manifest(path, root=tmp_path / "videos")
    assert [row.path for row in rows] == [str(tmp_path / "videos/a.mp4"), "/far/b.mp4"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0.25", 0.25),
        ("1:05", 65),
        ("01:00:00.5", 3600.5),
        ("90", 90),
        ("100:00:00", 36e4),
    ],
)
def test_times_are_seconds_or_clock_times(write, text, seconds):
    (row,) = read_manifest(write(f"path,start\na.mp4,{text}\n"))
    assert row.start == seconds


def test_clips_of_one_file_get_ids_from_their_times(write):
    rows = read_manifest(write("path,start,end,label\na.mp4,0,1,x\na.mp4,1,2,x\n"))
    assert [row.id for row in rows] == ["a.mp4#0.0-1.0", "a.mp4#1.0-2.0"]


def test_heads_select_columns(write):
    path = write("path,verb,noun,comment\na.mp4,cut,onion,\n")
    assert read_manifest(path, heads=["noun", "verb"])[0].labels == {
        "noun": ("onion",),
        "verb": ("cut",),
    }
    assert read_manifest(path, heads="verb")[0].labels == {"verb": ("cut",)}
    assert read_manifest(path, heads={"thing": "noun"})[0].labels == {"thing": ("onion",)}
    assert read_manifest(path, heads=())[0].labels == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "path,tags\na.mp4,cat | dog|cat\nb.mp4,\n"),
        ("a.jsonl", '{"path": "a.mp4", "tags": ["cat", "dog"]}\n{"path": "b.mp4", "tags": []}\n'),
    ],
)
def test_multilabel_cells_hold_any_number_of_labels(write, name, text):
    rows = read_manifest(write(text, name), multilabel=True)
    assert [row.labels["tags"] for row in rows] == [("cat", "dog"), ()]


# Errors


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.txt", "path\n", "a.txt: the name of a table must end in one of .csv, .tsv, .jsonl."),
        ("a.csv", "", "a.csv has no rows."),
        ("a.csv", "path,label\n", "a.csv has no rows."),
        ("a.csv", "path,label\na.mp4\n", "line 2 has 1 cells but the header names 2 columns"),
        ("a.csv", "path,label\na.mp4,b,c\n", "line 2 has 3 cells"),
        ("a.csv", "path,,label\na.mp4,b,c\n", "line 1: column 2 of the header has no name"),
        ("a.csv", "path,a,a\na.mp4,b,c\n", "line 1: the header names the column 'a' twice"),
        ("a.csv", 'path,label\na.mp4,"x\nb.mp4,y\n', "line 3: a quoted cell spans several"),
        ("a.csv", "video,label\na.mp4,b\n", "no column 'path', only 'video', 'label'. Did you"),
        ("a.csv", "path label\na.mp4 b\n", "Cells of a .csv file must be separated by commas"),
        (
            "a.tsv",
            "path,label\na.mp4,b\n",
            "Cells of a .tsv file must be separated by tabs, not by",
        ),
        ("a.csv", "path;label\na.mp4;b\n", "separated by commas, not by semicolons"),
        (
            "a.csv",
            "path;start\na.mp4;0,5\n",
            "by commas (tabs in .tsv), not by",
        ),
        ("a.csv", "Path,label\na.mp4,b\n", "Did you mean 'Path'? Rename it to 'path'."),
        ("a.csv", "video_path,label\na.mp4,b\n", "Did you mean 'video_path'? Rename it to 'path'."),
        (
            "a.csv",
            "label,youtube_id,time_start,time_end,split\na,b,1,2,train\n",
            "with the target 'scenic_video.data.published.kinetics:kinetics'",
        ),
        ("a.csv", "path,label\n ,b\n", "line 2, column 'path': wanted the path of a video"),
        ("a.csv", "path,label\na.mp4,\n", "line 2, column 'label': the label is missing"),
        (
            "a.csv",
            "path,label\na.mp4,b|c\n",
            "line 2, column 'label': wanted one label, got 2 (b, c)",
        ),
        ("a.csv", "path,end\na.mp4,soon\n", "line 2, column 'end': 'soon' is not a time"),
        ("a.csv", "path,start\na.mp4,-1\n", "line 2, column 'start': '-1' is not a time"),
        ("a.csv", "path,start\na.mp4,nan\n", "'nan' is not a time"),
        ("a.csv", "path,end\na.mp4,inf\n", "'inf' is not a time"),
        ("a.csv", "path,start\na.mp4,00:75:00\n", "'00:75:00' is not a time"),
        ("a.csv", "path,start\na.mp4,1:-5\n", "'1:-5' is not a time"),
        ("a.csv", "path,start\na.mp4,1:2:3:4\n", "'1:2:3:4' is not a time"),
        ("a.csv", "path,start,end\na.mp4,3,2\n", "column 'end': 2 s is not after start=3 s"),
        ("a.csv", "path,end\na.mp4,0\n", "column 'end': 0 s is not after start=0 s"),
        ("a.csv", "path,id\na.mp4,x\nb.mp4,x\n", "line 3, column 'id': the id 'x' is also that of"),
        ("a.csv", "path,x\na.mp4,1\na.mp4,2\n", "line 3, column 'path': the id 'a.mp4' is also"),
        ("a.jsonl", '{"path": "a.mp4"\n', "line 1: not JSON"),
        ("a.jsonl", '"a.mp4"\n', "line 1: wanted an object"),
        ("a.jsonl", '{"path": 3}\n', "line 1, column 'path': wanted the path of a video, got 3"),
        ("a.jsonl", '{"path": "a", "flow": 3}\n', "line 1, column 'flow': wanted the path"),
        ("a.csv", "path\na\0.mp4\n", "line 2: a cell contains a NUL byte"),
        ("a.jsonl", "[" * 200_000, "line 1: not JSON"),
        ("a.jsonl", '{"path": "a", "label": 1.5}\n', "line 1, column 'label': 1.5 is not a label"),
        ("a.jsonl", '{"path": "a", "label": true}\n', "True is not a label"),
        ("a.jsonl", '{"path": "a", "start": true}\n', "True is not a time"),
        ("a.jsonl", '{"path": "a", "x": "1"}\n{"path": "b"}\n', "line 2, column 'x': the label is"),
    ],
)
def test_errors_name_file_line_and_column(write, name, text, complaint):
    path = write(text, name)
    words = message(read_manifest, path)
    assert complaint in words and str(path) in words


def test_the_error_for_a_duplicate_names_both_lines(write):
    words = message(read_manifest, write("path,label\na.mp4,x\nb.mp4,x\na.mp4,y\n"))
    assert "line 4" in words and "line 2" in words


def test_a_missing_manifest_is_an_error(tmp_path):
    assert "There is no file" in message(read_manifest, tmp_path / "train.csv")


def test_a_file_that_is_not_text_is_an_error(write):
    words = message(read_manifest, write("path,label\nä.mp4,x\n", encoding="latin-1"))
    assert "is not UTF-8 text" in words


def test_an_unknown_head_is_an_error_that_suggests_the_nearest(write):
    words = message(read_manifest, write("path,verb\na.mp4,x\n"), heads=["verbs"])
    assert "no label column 'verbs'; it has 'verb'. Did you mean 'verb'?" in words
    words = message(read_manifest, write("path,verb\na.mp4,x\n"), heads=["path"])
    assert "no label column 'path'" in words


def test_an_empty_piece_of_a_multilabel_cell_is_an_error(write):
    words = message(read_manifest, write("path,tags\na.mp4,x||y\n"), multilabel=True)
    assert "line 2, column 'tags': 'x||y' is not a label" in words


# From names to ids


def rows_of(write, **splits):
    return {
        split: read_manifest(write(f"path,label\n{text}", f"{split}.csv"))
        for split, text in splits.items()
    }


def test_classes_are_the_sorted_labels_of_all_splits(write):
    rows = rows_of(write, train="a,run\nb,jump\n", test="c,walk\nd,run\n")
    space = label_space(rows)
    assert space.classes == {"label": ("jump", "run", "walk")}
    examples = to_examples(rows, space)
    assert [example.labels["label"] for example in examples["train"]] == [(1,), (0,)]
    assert [example.labels["label"] for example in examples["test"]] == [(2,), (1,)]


def test_labels_that_are_numbers_sort_by_value(write):
    rows = rows_of(write, train="a,10\nb,2\nc,0\n")
    assert label_space(rows).classes == {"label": ("0", "2", "10")}


def test_given_classes_keep_their_order(write, tmp_path):
    rows = rows_of(write, train="a,run\nb,jump\n")
    names = tmp_path / "names.txt"
    names.write_text("run\nwalk\njump\n\n", "utf-8-sig")
    for given in (["run", "walk", "jump"], {"label": ("run", "walk", "jump")}, str(names)):
        space = label_space(rows, classes=given)
        assert space.classes == {"label": ("run", "walk", "jump")}
        assert [example.labels["label"] for example in to_examples(rows, space)["train"]] == [
            (0,),
            (2,),
        ]


def test_numbers_are_ids_if_classes_are_given(write):
    rows = rows_of(write, train="a,2\nb,0\n")
    space = label_space(rows, classes=["run", "walk", "jump"])
    examples = to_examples(rows, space)["train"]
    assert [example.labels["label"] for example in examples] == [(2,), (0,)]


def test_numbers_are_names_if_the_given_names_are_numbers(write):
    rows = rows_of(write, train="a,20\nb,10\n")
    space = label_space(rows, classes=["10", "20"])
    examples = to_examples(rows, space)["train"]
    assert [example.labels["label"] for example in examples] == [(1,), (0,)]


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        ("jmup", "line 2, head 'label': 'jmup' is not one of the 2 classes"),
        ("jmup", "Did you mean 'jump'?"),
        ("2", "line 2, head 'label': '2' is not one of the 2 classes"),
        ("2", "Ids start at 0."),
    ],
)
def test_a_label_outside_the_classes_is_an_error(write, label, complaint):
    rows = rows_of(write, train=f"a,{label}\n")
    space = label_space(rows, classes=["jump", "run"])
    assert complaint in message(to_examples, rows, space)


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [
        ([], "is empty"),
        (["a", "b", "a"], "name 3, 'a', is empty or occurs twice"),
        (["a", ""], "name 2, '', is empty"),
        ({"labl": ["a"]}, "names the head 'labl', unknown. Did you mean 'label'?"),
        ("nowhere.txt", "there is no file nowhere.txt"),
    ],
)
def test_impossible_classes_are_errors(write, classes, complaint):
    rows = rows_of(write, train="a,a\n")
    assert complaint in message(label_space, rows, classes=classes)


def test_classes_of_several_heads_must_be_given_by_head(write):
    rows = {"train": read_manifest(write("path,verb,noun\na,cut,onion\n"))}
    assert "must name the classes by head" in message(label_space, rows, classes=["cut"])
    space = label_space(rows, classes={"verb": ["put", "cut"]})
    assert space.classes == {"verb": ("put", "cut"), "noun": ("onion",)}


def test_splits_must_have_the_same_heads(write):
    rows = {
        "train": read_manifest(write("path,verb\na,x\n", "train.csv")),
        "test": read_manifest(write("path,noun\na,x\n", "test.csv")),
    }
    assert "labels verb, but 'test' labels noun" in message(label_space, rows)
