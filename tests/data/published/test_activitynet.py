import json

import pytest

from scenic_video.data.published.activitynet import activitynet

DATABASE = {
    "sJSfvYKqe0k": {
        "duration": 2.0,
        "subset": "training",
        "resolution": "320x240",
        "url": "https://www.youtube.com/watch?v=sJSfvYKqe0k",
        "annotations": [
            {"segment": [0.1, 0.9], "label": "Long jump"},
            {"segment": [1.0, 1.8], "label": "Archery"},
        ],
    },
    "l7qFfKeM6fE": {
        "subset": "validation",
        "annotations": [{"segment": [0, 1.5], "label": "Archery"}],
    },
    "0dkIbKXXFzI": {"subset": "testing", "annotations": []},
}


def test_a_segment_is_an_example(put, write, described):
    root = put("v_sJSfvYKqe0k.mp4", "l7qFfKeM6fE.mkv")
    text = json.dumps({"version": "VERSION 1.3", "taxonomy": [], "database": DATABASE})
    dataset = activitynet(write("activity_net.v1-3.min.json", text), root=root)
    assert dataset.labels.classes == {"label": ("Archery", "Long jump")}
    assert described(dataset, "train") == [
        ("sJSfvYKqe0k#0", "v_sJSfvYKqe0k.mp4", {"label": ("Long jump",)}),
        ("sJSfvYKqe0k#1", "v_sJSfvYKqe0k.mp4", {"label": ("Archery",)}),
    ]
    assert described(dataset, "validation") == [
        ("l7qFfKeM6fE#0", "l7qFfKeM6fE.mkv", {"label": ("Archery",)})
    ]
    assert [(e.start, e.end) for e in dataset.splits["train"]] == [(0.1, 0.9), (1.0, 1.8)]


def test_a_subset_without_annotations_is_an_error(put, write):
    text = json.dumps({"database": DATABASE})
    with pytest.raises(ValueError, match="'test' of activitynet has no examples"):
        activitynet(write("a.json", text), root=put("a.mp4"), splits={"test": "testing"})


def test_a_file_without_a_database_is_an_error(put, write):
    with pytest.raises(ValueError, match="has no 'database'"):
        activitynet(write("a.json", "{}"), root=put("a.mp4"))
