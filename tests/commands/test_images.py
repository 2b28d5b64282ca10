"""Images are clips of one frame: the same commands check, train, evaluate and predict them."""

import json

import numpy as np
import pytest

import scenic_video
from scenic_video.cli import main
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.sources import datasets

COLORS = {"blue": (20, 20, 220), "green": (20, 200, 20), "red": (220, 20, 20)}

CONFIG = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(dict(
        seed=0,
        dataset={data!r},
        preprocessing=dict(num_frames=1, resize=24, crop=16),
        augmentation=dict(geometry=dict(crop_area=(0.08, 1.0))),
        input=dict(batch_size=8),
        model=dict(target="projects.vivit.model:ViT", hidden_size=16, mlp_dim=32, num_layers=1,
                   num_heads=2, patch_size=(8, 8)),
        learning_rate=dict(target="scenic_video.optimizers:warmup_cosine", peak=1e-2,
                           warmup_steps=3),
        optimizer=dict(target="scenic_video.optimizers:adamw", weight_decay=0.0),
        trainer=dict(num_steps=30, log_every=5, eval_every=30, checkpoint_every=30),
        evaluation=dict(views="1x1", batch_size=8),
    ))
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """JPEG files of noise around one colour per class, 40 x 56: train and val."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 2)):
        for name, color in COLORS.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                image = rng.normal(color, 40, (40, 56, 3)).clip(0, 255).astype(np.uint8)
                write_jpeg(folder / split / name / f"{split}_{number}.jpg", image)
    return folder


def write_jpeg(path, image):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.py").write_text(CONFIG.format(data=str(images)))
    command = ["train", f"--config={folder}/config.py", f"--workdir={folder}/run"]
    assert main(command) == 0
    return folder / "run"


def test_a_folder_of_images_is_checked(images, capsys):
    assert main(["data", "check", str(images), "--strict"]) == 0
    out = capsys.readouterr().out
    assert "Without audio" not in out
    assert out.splitlines()[-1] == "All 30 examples can be read."


def test_a_folder_of_images_is_learned(trained):
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert losses[-1] < 0.5 * losses[0]
    summary = json.loads((trained / "eval/val_1x1.json").read_text())
    assert summary["num_examples"] == 6 and summary["metrics"]["top1"] == 1.0


def test_a_image_is_predicted(trained, images):
    model = scenic_video.load(trained)
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
def test_a_model_of_one_label_is_right_with_any_of_several(trained, images, tmp_path, labels, top1):
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
    assert main(["eval", f"--workdir={trained}", f"--data={tmp_path}/data.json"]) == 0
    summary = json.loads((trained / "eval/several_test_1x1.json").read_text())
    assert summary["metrics"]["top1"] == pytest.approx(top1)
