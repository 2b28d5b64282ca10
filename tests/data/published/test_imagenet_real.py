import json

import pytest

from scenic_video.data.published.imagenet_real import imagenet_real


@pytest.fixture
def images(tmp_path, moving_frames, write_video):
    """Writes images with these numbers, every second one in a class folder; returns the root."""

    def put_images(*numbers: int) -> str:
        for number in numbers:
            folder = tmp_path / "videos" / ("" if number % 2 else "n01440764")
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"ILSVRC2012_val_{number:08d}.JPEG"
            frames = moving_frames(1, seed=number)
            jpeg = path.with_suffix(".jpg")
            write_video(jpeg, frames, codec="mjpeg", pixel_format="yuvj420p")
            jpeg.rename(path)
        return str(tmp_path / "videos")

    return put_images


@pytest.fixture
def real(write):
    return write("real.json", json.dumps([[0], [], [2, 1], [1]]))


def test_any_of_the_labels_is_correct_and_images_without_labels_are_left_out(
    images, real, write, described
):
    classes = write("classes.txt", "n01440764\nn01443537\nn01484850\n")
    dataset = imagenet_real(real, root=images(1, 2, 3, 4), classes=classes)
    assert dataset.labels.multilabel
    assert described(dataset, "validation") == [
        (
            "ILSVRC2012_val_00000001",
            "ILSVRC2012_val_00000001.JPEG",
            {"label": ("n01440764",)},
        ),
        (
            "ILSVRC2012_val_00000003",
            "ILSVRC2012_val_00000003.JPEG",
            {"label": ("n01484850", "n01443537")},
        ),
        (
            "ILSVRC2012_val_00000004",
            "n01440764/ILSVRC2012_val_00000004.JPEG",
            {"label": ("n01443537",)},
        ),
    ]


def test_classes_may_be_the_folders_of_the_training_set(images, real, tmp_path):
    for name in ("n01484850", "n01440764", "n01443537"):
        (tmp_path / "train" / name).mkdir(parents=True)
    root = images(1, 3, 4)
    dataset = imagenet_real(real, root=root, classes=str(tmp_path / "train"))
    assert dataset.labels.classes == {"label": ("n01440764", "n01443537", "n01484850")}
    assert imagenet_real(real, root=root).labels.num_classes == {"label": 1000}


def test_missing_images_are_an_error(images, real):
    with pytest.raises(ValueError, match="1 of 3 examples .*/ILSVRC2012_val_00000004.jpg"):
        imagenet_real(real, root=images(1, 3))
