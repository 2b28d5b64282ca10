"""Images of one colour per class, and a run that has learned them.

The process that hands out the tests imports this module, so fixtures import what they use.
"""

import numpy as np
import pytest

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


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """JPEG files of noise around one colour per class, 40 x 56: train and val."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 2)):
        for name, color in COLORS.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                image = rng.normal(color, 40, (40, 56, 3)).clip(0, 255).astype(np.uint8)
                write_image(folder / split / name / f"{split}_{number}.jpg", image)
    return folder


def write_image(path, image):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def image_run(images, tmp_path_factory):
    from scenic_video.cli import main

    folder = tmp_path_factory.mktemp("image_run")
    (folder / "config.py").write_text(CONFIG.format(data=str(images)))
    command = ["train", f"--config={folder}/config.py", f"--workdir={folder}/run"]
    assert main(command) == 0
    return folder / "run"
