import pytest

from scenic_video.data.published.moments_in_time import moments_in_time

TRAIN = """clapping/7jlZ1dVSBrM_2.mp4,clapping,3,1
adult+female+singing/yt-a_1.mp4,adult+female+singing,4,0
"""
VALIDATION = "clapping/flickr-0_0.mp4,clapping,3,0\n"


@pytest.fixture
def arguments(put, write):
    root = put(
        "training/clapping/7jlZ1dVSBrM_2.mp4",
        "training/adult+female+singing/yt-a_1.webm",
        "validation/clapping/flickr-0_0.mp4",
    )
    splits = {"train": write("trainingSet.csv", TRAIN), "test": write("v.csv", VALIDATION)}
    return splits, {"train": f"{root}/training", "test": f"{root}/validation"}


def test_a_line_begins_with_file_and_class(arguments, write, described):
    splits, root = arguments
    categories = write("moments_categories.txt", "clapping,0\nadult+female+singing,1\njuggling,2\n")
    dataset = moments_in_time(splits, root=root, categories=categories)
    assert dataset.labels.classes["label"] == ("clapping", "adult+female+singing", "juggling")
    assert [path for _, path, _ in described(dataset, "train")] == [
        "training/clapping/7jlZ1dVSBrM_2.mp4",
        "training/adult+female+singing/yt-a_1.webm",
    ]
    assert described(dataset, "test") == [
        (
            "clapping/flickr-0_0.mp4",
            "validation/clapping/flickr-0_0.mp4",
            {"label": ("clapping",)},
        )
    ]


def test_without_categories_classes_are_the_sorted_labels(arguments):
    splits, root = arguments
    classes = moments_in_time(splits, root=root).labels.classes
    assert classes == {"label": ("adult+female+singing", "clapping")}


def test_categories_are_lines_of_class_and_id(arguments, write):
    splits, root = arguments
    with pytest.raises(ValueError, match="wanted 'class,id', got 'clapping'"):
        moments_in_time(splits, root=root, categories=write("categories.txt", "clapping\n"))
