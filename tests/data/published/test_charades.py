import pytest

from scenic_video.data.published.charades import charades

CLASSES = "c000 Holding some clothes\nc001 Putting clothes somewhere\nc092 Holding a vacuum\n"
TRAIN = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    '46GP8,HR43,Kitchen,6,7,Yes,"A person cooks, then leaves.",food;stove,"Cooking.",'
    "c092 11.90 21.20;c000 0.00 12.60;c092 0.00 3.00,24.83\n"
    "N11GT,0KZ7,Stairs,7,7,Yes,A person walks.,stairs,Walking.,,18.33\n"
)


def test_a_video_has_every_action_that_happens_in_it(put, write, described):
    dataset = charades(
        {"train": write("Charades_v1_train.csv", TRAIN)},
        classes=write("Charades_v1_classes.txt", CLASSES),
        root=put("46GP8.mp4", "N11GT.mp4"),
    )
    assert dataset.labels.multilabel
    assert dataset.labels.classes["action"] == (
        "Holding some clothes",
        "Putting clothes somewhere",
        "Holding a vacuum",
    )
    assert described(dataset, "train") == [
        ("46GP8", "46GP8.mp4", {"action": ("Holding a vacuum", "Holding some clothes")}),
        ("N11GT", "N11GT.mp4", {"action": ()}),
    ]


def test_an_unknown_action_is_an_error(put, write):
    with pytest.raises(ValueError, match="line 2: 'c092' is not a class of"):
        charades(
            {"train": write("train.csv", TRAIN)},
            classes=write("classes.txt", "c000 Holding some clothes\n"),
            root=put("46GP8.mp4", "N11GT.mp4"),
        )
