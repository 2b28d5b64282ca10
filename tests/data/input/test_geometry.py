import pytest

from scenic_video.data.examples import Dataset, LabelSpace
from scenic_video.data.input.geometry import Geometry


@pytest.mark.parametrize(
    ("jitter", "area", "complaint"),
    [
        ((0, 1), None, "scale_jitter is"),
        ((2, 1), None, "needs scale_jitter as .lowest"),
        ((1,), None, "scale_jitter is"),
        (None, (0, 1), "crop_area is"),
        (None, (0.5, 1.5), "crop_area is"),
        (None, (0.5,), "crop_area is"),
        ((0.9, 1.33), (0.08, 1), "one of crop_area and scale_jitter to be None; got"),
    ],
)
def test_an_invalid_range_is_refused(jitter, area, complaint):
    with pytest.raises(ValueError, match=complaint):
        Geometry(scale_jitter=jitter, crop_area=area)


def test_flip_defaults_to_that_of_the_dataset():
    safe, unsafe = (
        Dataset("d", {}, LabelSpace({"label": ("a",)}), flip_safe=flip_safe)
        for flip_safe in (True, False)
    )
    assert Geometry().of_dataset(safe).flip is True
    assert Geometry().of_dataset(unsafe).flip is False
    assert Geometry(flip=False).of_dataset(safe).flip is False
    with pytest.raises(ValueError, match="may change its label"):
        Geometry(flip=True).of_dataset(unsafe)
