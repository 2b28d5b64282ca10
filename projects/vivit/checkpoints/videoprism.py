"""VideoPrism's video encoder, from its public files and from Hugging Face's."""

import collections
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from projects.vivit.checkpoints.videoprism_names import (
    CLASSIFIER,
    FLAX,
    POOLER,
    SPATIAL,
    TEMPORAL,
    hugging_face,
)
from scenic_video.errors import UserError
from scenic_video.weights.built_model import module_of
from scenic_video.weights.families.family import Family, Unsupported, Weights, number_of_heads
from scenic_video.weights.families.hub_files import class_names, processor_config
from scenic_video.weights.families.hugging_face import input_sizes, labels_of, preprocessing_of
from scenic_video.weights.families.names import Leaves, NameTable
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.families.token_grids import square_side

MODEL = "projects.vivit.videoprism.model:VideoPrism"
LOGIT_CAP = 50.0
SCANNED = re.compile(r"(.*/x_layers)/(.*)")
SEPARATE = re.compile(r"(.*/x_layers)_(\d+)/(.*)")


def separate_layers(leaves: Leaves) -> Leaves:
    """Leaves with one path per layer: the layers of a scanned encoder share theirs, and their
    first axis counts them."""
    found = {path: x for path, x in leaves.items() if not SCANNED.fullmatch(path)}
    for path, array in leaves.items():
        if match := SCANNED.fullmatch(path):
            if not array.ndim:
                raise UserError(f"{path} is one number; wanted an array with an axis of layers.")
            layers = {f"{match[1]}_{i}/{match[2]}": x for i, x in enumerate(array)}
            if twice := found.keys() & layers.keys():
                raise UserError(f"The checkpoint has {min(twice)} twice: it is also in {path}.")
            found |= layers
    return found


def scan_layers(leaves: Leaves) -> dict[str, np.ndarray]:
    """The inverse of `separate_layers`."""
    found, layers = {}, collections.defaultdict(dict)
    for path, array in leaves.items():
        if match := SEPARATE.fullmatch(path):
            layers[f"{match[1]}/{match[3]}"][int(match[2])] = array
        else:
            found[path] = array
    return found | {path: np.stack([x[i] for i in sorted(x)]) for path, x in layers.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoPrismFiles(Family):
    """Checkpoints that `table` covers and that have all `signs`. `prepare` brings leaves to the
    names of the table, and `finish` brings them back. `architecture` is the class of transformers
    for which a config.json is written, if any."""

    name: str
    table: NameTable
    signs: tuple[str, ...]
    prepare: Callable[[Leaves], Leaves] = dict
    finish: Callable[[Leaves], dict[str, np.ndarray]] = dict
    has_axis_of_heads: bool = False
    formats: tuple[str, ...] = ()
    architecture: str = ""

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        return all(sign in leaves for sign in self.signs)

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        config = metadata.get("config") or {}
        config = config.get("vision_config") or config
        leaves = self.prepare(leaves)
        heads = 0 if self.has_axis_of_heads else _number_of_heads(leaves, config)
        params, unread = self.table.read(leaves, heads=heads)
        preprocessing = _preprocessing(params, metadata)
        return Weights(
            family=self.name,
            params=params,
            model=_model(params, config),
            preprocessing=preprocessing,
            labels=labels_of(config),
            inputs=input_sizes(preprocessing),
            rest={name: leaves[name] for name in unread},
        )

    def write(self, weights: Weights) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        kernel = weights.params.get("embedding/kernel")
        if weights.model is None or kernel is None or kernel.ndim != 4:
            raise UserError(f"{self.name} is a model of frames in patches; this is another one.")
        leaves, unwritten = self.table.write(weights.params)
        if unwritten:
            raise UserError(
                f"{self.name} has no names for {', '.join(unwritten[:5])}; write another format."
            )
        leaves = self.finish(leaves)
        if not self.matches(leaves):
            raise UserError(f"{self.name} has arrays that these weights lack.")
        return leaves, hub_files(self.architecture, weights) if self.architecture else {}


def _number_of_heads(leaves: Leaves, config: Mapping[str, Any]) -> int:
    width = next(x for name, x in leaves.items() if name.endswith("layernorm1.weight")).shape[0]
    return number_of_heads(width, config.get("num_attention_heads"))


def _model(params: Leaves, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config node of the model. Errors: UserError for an activation that it does not have."""
    if config.get("hidden_act", "gelu") not in ("gelu", "gelu_python"):
        raise UserError(f"VideoPrism here has exact GELU, not {config['hidden_act']!r}.")
    shapes = ParameterShapes(params)
    return {
        "target": MODEL,
        **shapes.encoder(SPATIAL),
        "temporal_num_layers": shapes.encoder(TEMPORAL)["num_layers"],
        "patch_size": shapes.patch("embedding"),
        "classifier": "attention" if f"{POOLER}/query" in params else "gap",
        "logit_cap": float(config.get("attn_logit_softcapping", LOGIT_CAP)),
        "exact_gelu": True,
        "norm_epsilon": float(config.get("layer_norm_eps", 1e-6)),
    }


def _preprocessing(params: Leaves, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Frames and pixels by the tables of positions, and what a preprocessor_config.json states.

    Public models take pixels in [0, 1], of frames that are resized to a square; here their centre
    is cropped."""
    shapes = ParameterShapes(params)
    places, times = (
        shapes.of(f"{x}/posembed_input/pos_embedding", 3)[1] for x in (SPATIAL, TEMPORAL)
    )
    if (tokens := square_side(places)) is None:
        raise UserError(f"The positions of {places} places of a frame are not those of a square.")
    side = tokens * shapes.patch("embedding")[0]
    scale = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    fields = {"crop": side, "resize": side, "rgb": scale}
    if (metadata.get("preprocessor_config") or {}).get("do_normalize"):
        fields |= preprocessing_of(metadata, side)
    return fields | {"num_frames": times}


def hub_files(architecture: str, weights: Weights) -> dict[str, Any]:
    """The JSON files beside weights for this class of transformers, by their names without .json.

    Its own processor only scales pixels to [0, 1]; ViViT's can normalise them."""
    config = {"architectures": [architecture], **_hub_config(weights)}
    processor = processor_config(weights.preprocessing or {}, "VivitImageProcessor")
    files = {"config": config, "preprocessor_config": {**processor, "offset": False}}
    return files if processor else {"config": config}


def _hub_config(weights: Weights) -> dict[str, Any]:
    """Errors: UserError if the inputs are not square and known."""
    module, (frames, rows, columns) = module_of(weights), weights.inputs.get("rgb") or (0, 0, 0)
    if not rows or rows != columns:
        raise UserError(
            "VideoPrism of Hugging Face takes square clips of a known size; the inputs here are "
            f"{dict(weights.inputs) or 'unknown'}."
        )
    names = class_names(weights)
    return {
        "model_type": "videoprism_vision_model",
        "hidden_size": module.hidden_size,
        "num_spatial_layers": module.num_layers,
        "num_temporal_layers": module.temporal_num_layers,
        "num_auxiliary_layers": 0,
        "num_attention_heads": module.num_heads,
        "intermediate_size": module.mlp_dim,
        "hidden_act": "gelu_python",
        "attn_logit_softcapping": module.logit_cap,
        "layer_norm_eps": float(module.norm_epsilon),
        "qkv_bias": True,
        "num_channels": 3,
        "image_size": rows,
        "num_frames": frames,
        "tubelet_size": [1, *(int(x) for x in module.patch_size)],
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def _video_text(sign: str, *, part: str) -> Unsupported:
    advice = f"write FILE:{part} for the video encoder alone"
    return Unsupported(
        "VideoPrism's video-text model", (sign,), f"with auxiliary layers ({advice})"
    )


HUB_PART = "video_model.vision_model"
VIDEOPRISM: tuple[Family, ...] = (
    VideoPrismFiles(
        name="VideoPrism",
        table=FLAX,
        signs=("patch_projection/linear/kernel", "spatial_ln/scale", "temporal_ln/scale"),
        prepare=separate_layers,
        finish=scan_layers,
        has_axis_of_heads=True,
        formats=("npz",),
    ),
    VideoPrismFiles(
        name="VideoPrism's encoder of Hugging Face",
        table=hugging_face(),
        signs=("layernorm2.weight", "temporal_layers.0.attention.q_proj.weight"),
        formats=("hf-safetensors",),
        architecture="VideoPrismVisionModel",
    ),
    VideoPrismFiles(
        name="VideoPrism's classifier of Hugging Face",
        table=CLASSIFIER,
        signs=("vision_model.layernorm2.weight", "head.per_dim_scale", "classifier.weight"),
        formats=("hf-safetensors",),
        architecture="VideoPrismForVideoClassification",
    ),
    _video_text("vision_encoder/patch_projection/linear/kernel", part="vision_encoder"),
    _video_text("video_model.auxiliary_layers.0.layernorm_before.weight", part=HUB_PART),
    _video_text("auxiliary_layers.0.layernorm_before.weight", part="vision_model"),
)
