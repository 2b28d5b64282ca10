"""TokenLearner-B/16 on ImageNet from random weights: the public config.

Ryoo et al., TokenLearner, NeurIPS 2021; google-research/scenic has this config, but the paper does
not report its result: 16 tokens at layer 9, learned by the MLP of version 1.1.

    scenic-video train --config=configs/tokenlearner/imagenet_scratch_base.py \
        --workdir=runs/tokenlearner/imagenet_scratch_base

Adam with a decoupled weight decay of 0.3, 10,000 steps of warm-up, then linear decay; a sigmoid for
each class, with an initial bias of -10. One difference: stochastic depth is applied here, but
ignored by the public encoder.

    GFLOPs  M params  EFLOP
    13.5    86.6      9.3
"""

from ml_collections import ConfigDict

from configs import datasets
from configs.tokenlearner import common


def get_config() -> ConfigDict:
    learner = {"token_learner": "v1.1", "fuser_bottleneck_dim": 64}
    regular = {"stochastic_depth_rate": 0.1, "head_bias_init": -10.0}
    return ConfigDict(
        {
            "dataset": datasets.dataset("imagenet"),
            "preprocessing": {"num_frames": 1, "resize": 256, "crop": 224},
            "augmentation": {"geometry": {"crop_area": (0.05, 1.0)}},
            "input": {"batch_size": 4096},
            "model": common.image_model("b16_16_at_9", **learner, **regular),
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_linear",
                "peak": 5e-3,
                "end": 1e-5,
                "warmup_steps": 10_000,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:adamw",
                "weight_decay": 0.3,
                "max_gradient_norm": 1.0,
            },
            "task": {"loss": "sigmoid"},
            "trainer": {"num_epochs": 90},
            "evaluation": {"views": "1x1", "batch_size": 64},
        }
    )
