import pytest

from scenic_video.data.published.lists import video_lists


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("videos/riding a bike/a.mp4 2", "riding a bike/a.mp4"),  # SlowFast, VideoMAE
        ("videos/a, b.mp4,2", "a, b.mp4"),  # UniFormer
        ("videos/a b.webm::2", "a b.webm"),  # V-JEPA 2
        ("videos/a.mkv\t2", "a.mkv"),
    ],
)
def test_a_line_is_a_path_and_a_class_id(put, write, described, line, path):
    put(path)
    dataset = video_lists({"train": write("train.csv", f"{line}\n")})
    assert dataset.labels.classes == {"label": ("0", "1", "2")}
    assert [row[1:] for row in described(dataset, "train")] == [(path, {"label": ("2",)})]


def test_classes_name_the_ids(put, write, described):
    root = put("a.mp4", "b.mp4")
    splits = {"train": write("train.txt", "a.mp4 1\nb.mp4 0\n"), "val": write("v.txt", "a.mp4 1\n")}
    classes = write("classes.txt", "jump\nrun\nswim\n")
    dataset = video_lists(splits, root=root, classes=classes)
    assert dataset.labels.classes == {"label": ("jump", "run", "swim")}
    assert [labels["label"] for *_, labels in described(dataset, "train")] == [("run",), ("jump",)]
    assert video_lists(splits, root=root, num_classes=400).labels.num_classes == {"label": 400}


def test_mmaction_videos_may_have_several_labels(put, write, described):
    root = put("a.mp4", "b.mp4")
    path = write("train.txt", "a.mp4 0 3\nb.mp4 2\n")
    dataset = video_lists({"train": path}, root=root, multilabel=True)
    assert dataset.labels.multilabel and dataset.labels.num_classes == {"label": 4}
    assert [labels["label"] for *_, labels in described(dataset, "train")] == [("0", "3"), ("2",)]


def test_lists_for_pretraining_have_no_labels(put, write, described):
    root = put("a.mp4", "b b.mp4")
    dataset = video_lists({"train": write("t.csv", "a.mp4 0 -1\nb b.mp4 0 -1\n")}, root=root)
    assert dataset.labels.classes == {}
    assert described(dataset, "train") == [("a.mp4", "a.mp4", {}), ("b b.mp4", "b b.mp4", {})]


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("a.mp4 1 2\n", {}, "Set multilabel=True"),
        ("frames/a 250 2\n", {}, "names a folder of frames"),
        ("frames/a 250 2\n", {"multilabel": True}, "names a folder of frames"),
        ("a.mp4 jump\n", {}, "line 1: wanted the path of a video and its class id"),
        ("a.mp4 1\nb.mp4 0 -1\n", {}, "line 2: some lines of this list have labels"),
        ("a.mp4 1\na.mp4 1\n", {}, "the id 'a.mp4' is also that of"),
        ("a.mp4 7\n", {"num_classes": 7}, "num_classes is 7, but a list has the label 7"),
        ("a.mp4 1\n", {"separator": ";"}, "separator is ';'; wanted '::' or"),
        ("\n", {}, "has no lines"),
    ],
)
def test_invalid_lists_are_an_error(put, write, text, options, complaint):
    with pytest.raises(ValueError, match=complaint.replace("(", r"\(")):
        video_lists({"train": write("train.txt", text)}, root=put("a.mp4", "b.mp4"), **options)
