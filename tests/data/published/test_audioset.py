import pytest

from scenic_video.data.published.audioset import audioset

LABELS = """index,mid,display_name
0,/m/09x0r,"Speech"
1,/m/05zppz,"Male speech, man speaking"
2,/m/068hy,"Domestic animals, pets"
"""
SEGMENTS = """# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.500, 1.500, "/m/068hy,/m/09x0r"
-0p7hKXZ1ww, 30.000, 40.000, "/m/05zppz"
"""


def test_segments_have_any_number_of_the_classes(put, write, described):
    dataset = audioset(
        {"test": write("eval_segments.csv", SEGMENTS)},
        labels=write("class_labels_indices.csv", LABELS),
        root=put("--4gqARaEJE.mp4", "-0p7hKXZ1ww_30000_40000.mkv"),
    )
    assert dataset.labels.multilabel
    assert dataset.labels.classes == {
        "label": ("Speech", "Male speech, man speaking", "Domestic animals, pets")
    }
    assert described(dataset, "test") == [
        (
            "--4gqARaEJE_000000",
            "--4gqARaEJE.mp4",
            {"label": ("Domestic animals, pets", "Speech")},
        ),
        (
            "-0p7hKXZ1ww_000030",
            "-0p7hKXZ1ww_30000_40000.mkv",
            {"label": ("Male speech, man speaking",)},
        ),
    ]
    assert dataset.splits["test"][0].end is None


def test_untrimmed_videos_are_read_for_the_seconds_of_the_segment(put, write):
    dataset = audioset(
        {"test": write("eval_segments.csv", SEGMENTS)},
        labels=write("class_labels_indices.csv", LABELS),
        root=put("--4gqARaEJE.mp4", "-0p7hKXZ1ww.mp4"),
        trimmed=False,
    )
    assert [(e.start, e.end) for e in dataset.splits["test"]] == [(0.5, 1.5), (30.0, 40.0)]


def test_an_unknown_class_is_an_error(put, write):
    with pytest.raises(ValueError, match="eval.csv, line 1: '/m/0' is not a class of"):
        audioset(
            {"test": write("eval.csv", 'a, 0.0, 1.0, "/m/0"\n')},
            labels=write("labels.csv", LABELS),
            root=put("a.mp4"),
        )
