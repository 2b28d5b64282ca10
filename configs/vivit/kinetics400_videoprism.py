"""VideoPrism with a frozen encoder on Kinetics 400.

Zhao et al., VideoPrism, ICML 2024; results are those of the public weights in their repository.

    scenic-video train --config=configs/vivit/kinetics400_videoprism.py:base \
        --workdir=runs/vivit/kinetics400_videoprism_base

Starts from the public encoder. The attention pooler and the head are randomly initialised, and are
all that is trained; set trainer.freeze=() and a smaller rate to train everything. The optimizer,
its rate and the number of epochs are not published; those here are a guess. Clips cover ten
seconds: 16 frames (base) or 8 (large), with pixels in [0, 1]. EFLOP count only the forward pass.

    variant  GFLOPs  M params  EFLOP  released top1
    base     513.9   124.1     2.5    82.9
    large    775.9   371.2     3.7    85.0
"""

from typing import Any

from ml_collections import ConfigDict

from configs.fine_tuning import fine_tuning
from configs.variants import choose
from scenic_video.layers.sizes import size

VARIANTS: dict[str, dict[str, Any]] = {
    "base": {"size": "B", "start": "videoprism-b", "num_frames": 16, "stride": 16},
    "large": {"size": "L", "start": "videoprism-l", "num_frames": 8, "stride": 32},
}
POOLER_AND_HEAD = "attention_pooler|output_projection"


def get_config(variant: str = "base") -> ConfigDict:
    fields = choose(VARIANTS, variant)
    model = {
        "target": "projects.vivit.videoprism.model:VideoPrism",
        "patch_size": (18, 18),
        "temporal_num_layers": 4,
        "dtype": "bfloat16",
    }
    config = fine_tuning(
        data="kinetics400",
        model=model | size(fields["size"]),
        start={"path": fields["start"]},
        peak=1e-3,
        num_epochs=10,
        preprocessing={
            "num_frames": fields["num_frames"],
            "stride": fields["stride"],
            "crop": 288,
            "resize": 288,
            "rgb": {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
        },
        trainer={"freeze": (f"^(?!{POOLER_AND_HEAD})",)},
        evaluation={"views": "1x1"},
    )
    config.optimizer = ConfigDict(
        {
            "target": "scenic_video.optimizers:adamw",
            "weight_decay": 1e-4,
            "max_gradient_norm": 1.0,
        }
    )
    return config
