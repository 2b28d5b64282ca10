"""config.json and preprocessor_config.json of Hugging Face for models of this package."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scenic_video.errors import UserError
from scenic_video.modalities.names import DEFAULT
from scenic_video.weights.built_model import module_of, num_classes
from scenic_video.weights.families.family import Weights

TANH_GELU = "gelu_fast"
"""The name of GELU's tanh approximation."""


@dataclasses.dataclass(frozen=True)
class HubModel:
    """A class of transformers, which a model with the fields `wants` is an instance of.

    `patches` are the fields of its config that say how inputs are cut, and more, by the module and
    the (frames, rows, columns) of its inputs. `processor_fields` are further fields of the
    preprocessor_config.json.
    """

    architecture: str
    model_type: str
    wants: Mapping[str, Any]
    patches: Callable[[Any, tuple[int, int, int]], dict[str, Any]]
    processor: str
    processor_fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    has_head: bool = True

    def files(self, weights: Weights) -> dict[str, Any]:
        """The JSON files beside the weights, by their names without .json.

        Errors: UserError if the model has fields that this class lacks.
        """
        module = module_of(weights)
        for name, value in self.wants.items():
            own = getattr(module, name, None)
            if own != value:
                raise UserError(f"{self.architecture} has {name}={value!r}, this model {own!r}.")
        if (num_classes(weights) is not None) != self.has_head:
            words = "a head, which these weights lack" if self.has_head else "no head"
            raise UserError(f"{self.architecture} has {words}.")
        files = {"config": self._config(weights, module)}
        if processor := processor_config(weights.preprocessing or {}, self.processor):
            files["preprocessor_config"] = {**processor, **self.processor_fields}
        return files

    def _config(self, weights: Weights, module: Any) -> dict[str, Any]:
        return {
            "architectures": [self.architecture],
            "model_type": self.model_type,
            "hidden_size": module.hidden_size,
            "num_hidden_layers": module.num_layers,
            "num_attention_heads": module.num_heads,
            "intermediate_size": module.mlp_dim,
            "hidden_act": "gelu" if module.exact_gelu else TANH_GELU,
            "layer_norm_eps": float(module.norm_epsilon),
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "qkv_bias": True,
            "num_channels": 3,
            **self._sizes(weights, module),
            **(_labels(class_names(weights)) if self.has_head else {}),
        }

    def _sizes(self, weights: Weights, module: Any) -> dict[str, Any]:
        frames, rows, columns = weights.inputs.get(DEFAULT[0]) or (0, 0, 0)
        if not rows or rows != columns:
            raise UserError(
                f"{self.architecture} takes square images of a known size; the inputs here are "
                f"{dict(weights.inputs) or 'unknown (give --size)'}."
            )
        return {"image_size": rows, **self.patches(module, (frames, rows, columns))}


def processor_config(preprocessing: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The fields of preprocessor_config.json for the processor class `kind`; none if the checkpoint
    does not state how pixels are normalised."""
    pixels, crop = preprocessing.get(DEFAULT[0]) or {}, preprocessing.get("crop")
    if not (crop and "mean" in pixels and "std" in pixels):
        return {}
    height, width = crop if isinstance(crop, Sequence) else (crop, crop)
    return {
        "image_processor_type": kind,
        "do_resize": True,
        "size": {"shortest_edge": preprocessing.get("resize", min(height, width))},
        "do_center_crop": True,
        "crop_size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(pixels["mean"]),
        "image_std": list(pixels["std"]),
    }


def class_names(weights: Weights) -> list[str]:
    """The class of each logit: "head: name" if there are several heads, and placeholders LABEL_0,
    ... where the checkpoint does not name them."""
    labels = weights.labels or {}
    names = [
        name if len(labels) == 1 else f"{head}: {name}"
        for head, classes in labels.items()
        for name in classes
    ]
    return names or [f"LABEL_{i}" for i in range(num_classes(weights) or 0)]


def _labels(names: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def square_patch(patch: Sequence[int]) -> int:
    """Errors: UserError if it is not square."""
    if patch[-2] != patch[-1]:
        raise UserError(f"Hugging Face's model takes square patches, not {tuple(patch)}.")
    return int(patch[-1])


def _patch(module: Any, size: tuple[int, int, int]) -> dict[str, Any]:
    return {"patch_size": square_patch(module.patch_size)}


def _tubelet(module: Any, size: tuple[int, int, int]) -> dict[str, Any]:
    return {"num_frames": size[0], "tubelet_size": [int(x) for x in module.tubelet_size]}


_TOKEN = {"classifier": "token", "positions": "learned", "representation_size": None}
VIT = HubModel(
    "ViTForImageClassification",
    "vit",
    {**_TOKEN, "distillation_token": False},
    _patch,
    "CLIPImageProcessor",
)
DEIT = HubModel(
    "DeiTForImageClassification",
    "deit",
    {**_TOKEN, "distillation_token": True},
    _patch,
    "CLIPImageProcessor",
)
SIGLIP = HubModel(
    "SiglipVisionModel",
    "siglip_vision_model",
    {"classifier": "map", "positions": "learned"},
    _patch,
    "SiglipImageProcessor",
    has_head=False,
)
VIVIT = HubModel(
    "VivitForVideoClassification",
    "vivit",
    {**_TOKEN, "uniform_frames": None},
    _tubelet,
    "VivitImageProcessor",
    {"offset": False},
)
