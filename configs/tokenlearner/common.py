"""What the TokenLearner runs share: the models, their initial weights, and the recipes.

Models are named as in the paper: "l16_30_8_at_18" is L/16 with 30 layers (the 24 of L and 6 that
are randomly initialised) and 8 tokens learned before layer 18, counted from 0. "vit_l16" learns
none.
"""

import re
from typing import Any

from ml_collections import ConfigDict

from configs import datasets
from configs.fine_tuning import fine_tuning
from configs.starts import IMAGENET21K
from scenic_video.layers.sizes import size

MODELS = "projects.tokenlearner.model"
PRETRAINED = {"S": (16, 32), "B": (16, 32), "L": (16,), "H": (14,)}
"""Patches of the ViTs trained on ImageNet-21k."""


def parse(name: str) -> tuple[str, int, int, int, int]:
    """(size, patch, layers, tokens, layer that learns them); no tokens for a plain transformer."""
    match = re.fullmatch(r"(?:vit_)?([a-z])(\d+)(?:_(\d+))?(?:_(\d+)_at_(\d+))?", name)
    assert match is not None, name
    letter, patch, layers, tokens, at = match.groups()
    own = size(letter.upper())["num_layers"]
    return letter.upper(), int(patch), int(layers or own), int(tokens or 0), int(at or 0)


def image_model(name: str, **fields: Any) -> dict[str, Any]:
    """The model node for images."""
    letter, patch, _, tokens, _ = parse(name)
    node = {"target": f"{MODELS}:TokenLearnerViT"} | _learner(name)
    if not tokens:
        node = {"target": "projects.vivit.model:ViT"}
    common = {"patch_size": (patch, patch), "classifier": "gap", "dtype": "bfloat16"}
    return node | size(letter) | common | ({"remat": True} if letter == "H" else {}) | fields


def video_model(name: str, **fields: Any) -> dict[str, Any]:
    """The model node for clips, in tubelets of two frames; blocks are recomputed."""
    letter, patch, _, tokens, _ = parse(name)
    node = {"target": f"{MODELS}:TokenLearnerViViT"} | _learner(name)
    if not tokens:
        node = {"target": "projects.vivit.model:SpatioTemporalAttention", "classifier": "token"}
    common = {"tubelet_size": (2, patch, patch), "dtype": "bfloat16", "remat": True}
    return node | size(letter) | common | fields


def _learner(name: str) -> dict[str, Any]:
    """The modules of the paper's tables; by their costs, the fuser has one layer."""
    letter, _, layers, tokens, at = parse(name)
    extra = layers - size(letter)["num_layers"]
    node = {"token_learner": "v1", "num_tokens": tokens, "token_learner_at": at}
    return node | {"num_extra_layers": extra, "fuser_bottleneck_dim": None}


def from_image(name: str) -> dict[str, Any]:
    """Starts from a public ViT trained on ImageNet-21k, which replaces JFT-300M. The embedding of
    patches of another size is randomly initialised."""
    letter, patch, layers, tokens, _ = parse(name)
    known = PRETRAINED[letter]
    trained = patch if patch in known else known[0]
    node: dict[str, Any] = {"path": IMAGENET21K[f"{letter.lower()}{trained}"]}
    if patch not in known:
        node |= {"allow_random": ("embedding/.*",), "allow_unused": ("embedding/.*",)}
    project = "tokenlearner" if tokens else "vivit"
    if tokens:
        node["num_extra_layers"] = layers - size(letter)["num_layers"]
    target = f"projects.{project}.pretrained:from_image_model"
    return {"target": target} | node


def from_video(workdir: str) -> dict[str, Any]:
    """Starts from a run on clips, which may be of another length or size."""
    return {"target": "projects.tokenlearner.pretrained:from_video_model", "workdir": workdir}


def video_fine_tuning(name: str, *, data: str, **fields: Any) -> ConfigDict:
    """The recipe of ViViT on a Kinetics data set; `fields` are further fields of the model."""
    return fine_tuning(
        data=data,
        model=video_model(name, **fields),
        start=from_image(name),
        peak=0.1,
        num_epochs=30,
    )


def image_fine_tuning(name: str, *, crop: int, **fields: Any) -> ConfigDict:
    """The fine-tuning of ViT on ImageNet (Dosovitskiy et al., ICLR 2021, appendix B.1.1), with
    one of its four learning rates; `fields` are further fields of the model."""
    return ConfigDict(
        {
            "dataset": datasets.dataset("imagenet"),
            "preprocessing": {"num_frames": 1, "resize": crop, "crop": crop},
            "augmentation": {"geometry": {"crop_area": (0.05, 1.0)}},
            "input": {"batch_size": 512},
            "model": image_model(name, **fields),
            "init": from_image(name),
            "learning_rate": {
                "target": "scenic_video.optimizers:warmup_cosine",
                "peak": 0.03,
                "warmup_steps": 500,
            },
            "optimizer": {
                "target": "scenic_video.optimizers:sgd",
                "momentum": 0.9,
                "max_gradient_norm": 1.0,
            },
            "trainer": {"num_steps": 20_000},
            "evaluation": {"views": "1x1", "batch_size": 64},
        }
    )
