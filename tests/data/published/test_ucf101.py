import pytest

from scenic_video.data.published.ucf101 import ucf101
from tests.helpers.errors import message

CLASSES = "1 ApplyLipstick\n2 Archery\n3 Basketball\n"
TRAIN = "Archery/v_Archery_g08_c01.mp4 2\nApplyLipstick/v_ApplyLipstick_g08_c01.mp4 1\n"
TEST = "Archery/v_Archery_g01_c01.mp4\n"


@pytest.fixture
def read(put, write):
    def read_lists(train=TRAIN, test=TEST, classes=CLASSES):
        root = put(
            "Archery/v_Archery_g08_c01.mp4",
            "ApplyLipstick/v_ApplyLipstick_g08_c01.mkv",
            "v_Archery_g01_c01.mp4",
        )
        splits = {"train": write("trainlist01.txt", train), "test": write("testlist01.txt", test)}
        return ucf101(splits, root=root, classes=write("classInd.txt", classes))

    return read_lists


def test_ids_start_at_one_in_training_lists_and_are_absent_in_test_lists(read, described):
    dataset = read()
    assert dataset.labels.classes == {"label": ("ApplyLipstick", "Archery", "Basketball")}
    assert [example.labels["label"] for example in dataset.splits["train"]] == [(1,), (0,)]
    assert [path for _, path, _ in described(dataset, "train")] == [
        "Archery/v_Archery_g08_c01.mp4",
        "ApplyLipstick/v_ApplyLipstick_g08_c01.mkv",
    ]
    assert described(dataset, "test") == [
        ("Archery/v_Archery_g01_c01.mp4", "v_Archery_g01_c01.mp4", {"label": ("Archery",)})
    ]


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"train": "Archery/v_Archery_g08_c01.mp4 1\n"}, "with a class and its id of classInd.txt"),
        ({"test": "Fencing/a.mp4\n"}, "testlist01.txt: 'Fencing/a.mp4': wanted"),
        ({"classes": "0 ApplyLipstick\n1 Archery\n"}, "its 2 classes are not 1 to 2"),
        ({"classes": "Archery\n"}, "wanted 'id class', got 'Archery'"),
    ],
)
def test_lists_that_do_not_match_the_classes_are_refused(read, lists, words):
    assert words in message(read, **lists)
