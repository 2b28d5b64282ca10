"""What two checkpoints state differently."""

from scenic_video.weights.stated_fields import differences


def test_fields_that_both_have_are_compared_also_within_nodes():
    old = {"stride": 2, "crop": [224, 224], "rgb": {"mean": (0.5,), "std": [0.5]}, "resize": 256}
    new = {"stride": 4, "crop": (224, 224), "rgb": {"mean": [0.4], "std": (0.5,)}}
    assert [*differences(old, new)] == [("stride", 2, 4), ("rgb.mean", (0.5,), [0.4])]
