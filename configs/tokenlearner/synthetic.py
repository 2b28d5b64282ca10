"""TokenLearner compared with the plain ViViT on synthetic actions: equally accurate, in 0.28 of the
time.

    scenic-video train --config=configs/tokenlearner/synthetic.py:token_learner \
        --workdir=runs/tokenlearner/synthetic_token_learner

Both process 512 tubelets of 2 frames of 8 x 8 pixels in four blocks; `token_learner` replaces them
by 8 tokens for each of 8 time steps before block 1, so that the last three blocks process 64. The
clips are those of configs/quickstart.py.

    variant        GFLOPs  M params  EFLOP  ours top1
    token_learner  0.0768  0.197     -      89.5
    plain          0.225   0.192     -      89.5

On 200 test clips; the standard error is 2.2. A training step of 32 clips takes 826 and 2,915 ms on
two busy CPU cores (benchmarks/token_learner.py): 4 and 15 minutes in all.
"""

from typing import Any

from ml_collections import ConfigDict

from configs.synthetic import training
from configs.variants import choose

MODELS: dict[str, dict[str, Any]] = {
    "token_learner": {
        "target": "projects.tokenlearner.model:TokenLearnerViViT",
        "token_learner_at": 1,
        "num_tokens": 8,
    },
    "plain": {"target": "projects.vivit.model:SpatioTemporalAttention", "classifier": "gap"},
}


def get_config(variant: str = "token_learner") -> ConfigDict:
    return training(
        model=dict(
            hidden_size=64,
            mlp_dim=128,
            num_layers=4,
            num_heads=4,
            tubelet_size=(2, 8, 8),
        )
        | choose(MODELS, variant),
        crop=64,
        num_steps=300,
        learning_rate={"warmup_steps": 94},
    )
