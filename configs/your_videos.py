"""A ViViT-Ti/16x2 with a factorised encoder on your own videos, to begin with.

    scenic-video train --config=configs/your_videos.py --config.dataset=FOLDER --workdir=runs/mine

FOLDER contains manifests (train.csv, and test.csv or val.csv) or one folder per class, which
determine heads, classes and the number of examples. Clips are 16 frames at 12.5 frames per second,
112 x 112 pixels, with colour jitter. Cost: 2.4 GFLOPs per view, 7.4 M parameters. Random
initialisation needs thousands of clips; with fewer, start from a related run of the same model,
--config.init.workdir=runs/other --config.init.head=new (or by_name, which keeps classes with the
same name).
"""

from ml_collections import ConfigDict

from configs.augmentations import COLOR_JITTER, SCALE_JITTER
from configs.vivit import common


def get_config() -> ConfigDict:
    return ConfigDict(
        {
            "dataset": "videos",
            "preprocessing": {"num_frames": 16, "frame_rate": 12.5, "resize": 128, "crop": 112},
            "augmentation": {"geometry": SCALE_JITTER, "rgb": [COLOR_JITTER]},
            "input": {"batch_size": 32},
            "model": common.vivit(
                "FactorisedEncoder", "Ti", temporal_num_layers=4, stochastic_depth_rate=0.1
            ),
            "task": {"label_smoothing": 0.1},
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_cosine",
                "peak": 5e-4,
                "warmup_epochs": 2.5,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:adamw",
                "weight_decay": 0.05,
                "max_gradient_norm": 1.0,
            },
            "trainer": {"num_epochs": 30},
            "evaluation": {"views": "4x3"},
        }
    )
