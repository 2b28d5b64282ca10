"""Images are clips of one frame: the same commands check, train, evaluate and predict them."""

import json

import pytest

import scenic_video
from scenic_video.cli import main
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.sources import datasets


def test_a_folder_of_images_is_checked(images, capsys):
    assert main(["data", "check", str(images), "--strict"]) == 0
    out = capsys.readouterr().out
    assert "Without audio" not in out
    assert out.splitlines()[-1] == "All 30 examples can be read."


def test_a_folder_of_images_is_learned(image_run):
    rows = [json.loads(line) for line in (image_run / "metrics.jsonl").read_text().splitlines()]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert losses[-1] < 0.5 * losses[0]
    summary = json.loads((image_run / "eval/val_1x1.json").read_text())
    assert summary["num_examples"] == 6 and summary["metrics"]["top1"] == 1.0


def test_a_image_is_predicted(image_run, images):
    model = scenic_video.load(image_run)
    image = images / "val/green/val_0.jpg"
    for video in (image, image.read_bytes()):
        assert model.predict(video, views="1x1", top=1)["label"][0][0] == "green"


def test_images_can_be_packed(images, tmp_path):
    assert main(["data", "build", str(images), f"--out={tmp_path / 'records'}"]) == 0
    dataset = datasets.open_dataset(str(tmp_path / "records"))
    example = dataset.splits["val"][0]
    assert example.video == (images / "val" / example.id).read_bytes()
    with VideoReader(example.video) as reader:
        assert len(reader.timestamps) == 1


@pytest.mark.parametrize(("labels", "top1"), [("blue|{}", 1.0), ("blue|red", 2 / 3)])
def test_a_model_of_one_label_is_right_with_any_of_several(
    image_run, images, tmp_path, labels, top1
):
    """Data with several labels per image, as the ReaL labels of ImageNet."""
    rows = [f"{path},{labels.format(path.parent.name)}" for path in images.glob("val/*/*")]
    (tmp_path / "test.csv").write_text("\n".join(["path,label", *rows]))
    node = {
        "target": "scenic_video.data.sources.datasets:manifest",
        "splits": {"test": str(tmp_path / "test.csv")},
        "multilabel": True,
        "name": "several",
    }
    (tmp_path / "data.json").write_text(json.dumps(node))
    assert main(["eval", f"--workdir={image_run}", f"--data={tmp_path}/data.json"]) == 0
    summary = json.loads((image_run / "eval/several_test_1x1.json").read_text())
    assert summary["metrics"]["top1"] == pytest.approx(top1)
