import pytest

from scenic_video.data.published.epic_kitchens import epic_kitchens

HEADER = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    "start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)
TRAIN = HEADER + (
    "P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:00.95,8,202,open door,open,1,door,2,"
    "['door'],[2]\n"
    "P01_01_1,P01,P01_01,00:00:02.629,00:00:01.00,00:00:01.75,262,370,turn on light,turn-on,0,"
    "light,1,\"['light', 'lamp']\",\"[1, 2]\"\n"
)
VERBS = "id,key,instances,category\n0,turn-on,\"['turn-on', 'start']\",access\n1,open,[],access\n"
NOUNS = '"id","key","instances","category"\n0,"tap",[],a\n1,"light",[],a\n2,"door",[],a\n'


@pytest.mark.parametrize("place", ["P01/videos/P01_01.MP4", "P01/P01_01.mp4", "P01_01.mp4"])
def test_segments_of_long_videos_have_a_noun_and_a_verb(put, write, described, place):
    dataset = epic_kitchens(
        {"train": write("EPIC_100_train.csv", TRAIN)},
        root=put(place),
        noun_classes=write("EPIC_100_noun_classes_v2.csv", NOUNS),
        verb_classes=write("EPIC_100_verb_classes.csv", VERBS),
    )
    assert dataset.labels.classes == {
        "noun": ("tap", "light", "door"),
        "verb": ("turn-on", "open"),
    }
    assert described(dataset, "train") == [
        ("P01_01_0", place, {"noun": ("door",), "verb": ("open",)}),
        ("P01_01_1", place, {"noun": ("light",), "verb": ("turn-on",)}),
    ]
    assert [(e.start, e.end) for e in dataset.splits["train"]] == [(0.14, 0.95), (1.0, 1.75)]


def test_without_tables_classes_are_numbers(put, write, described):
    dataset = epic_kitchens({"train": write("train.csv", TRAIN)}, root=put("P01_01.mp4"))
    assert dataset.labels.num_classes == {"noun": 300, "verb": 97}
    assert described(dataset, "train")[0][2] == {"noun": ("2",), "verb": ("1",)}


def test_a_table_of_classes_must_be_complete(put, write):
    with pytest.raises(ValueError, match="ids of its 1 classes are not 0, 1, 2"):
        epic_kitchens({}, root=put("P01_01.mp4"), verb_classes=write("v.csv", "id,key\n3,put\n"))
