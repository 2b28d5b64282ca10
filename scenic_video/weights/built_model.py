"""The model that a checkpoint describes, with its parameters, as a function of inputs."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video.config import build, near, resolve
from scenic_video.errors import UserError
from scenic_video.layers.autoencoder import Autoencoder
from scenic_video.modalities.names import BUILT_IN
from scenic_video.weights.families.blocks import HEAD
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.names import Leaves
from scenic_video.weights.image_models import change_channels
from scenic_video.weights.model_weights import Inputs


@dataclasses.dataclass(frozen=True, eq=False)
class BuiltModel:
    """A model with its parameters. Without a head its outputs are features, which a head reads, or
    those of an autoencoder: the mean of its encoded tokens, none of them hidden."""

    name: str
    module: Any
    params: Leaves
    inputs: Inputs
    has_head: bool

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Logits [b, c], or features [b, d]; of a model with logits by modality, side by side."""
        params = unflatten_dict(dict(self.params), sep="/")
        logits, state = self._apply({"params": params}, inputs)
        if isinstance(self.module, Autoencoder):
            means = [np.asarray(tokens).mean(axis=1) for tokens in logits.values()]
            return np.concatenate(means, axis=-1)
        if not self.has_head:
            return np.asarray(state["intermediates"]["features"][0])
        return np.concatenate([np.asarray(x) for x in jax.tree.leaves(logits)], axis=-1)

    @functools.cached_property
    def _apply(self) -> Any:
        encoded = {"encode_only": True} if isinstance(self.module, Autoencoder) else {}

        def apply(variables: Any, inputs: Any) -> Any:
            fields = {**inputs, **encoded, "train": False}
            return self.module.apply(variables, **fields, mutable="intermediates")

        return jax.jit(apply)

    def random_inputs(self, number: int, *, seed: int) -> dict[str, np.ndarray]:
        """Normal random numbers, as the inputs of a model are normalised to about 1."""
        rng = np.random.default_rng(seed)
        return {
            name: rng.normal(size=(number, *size, _channels(name))).astype(np.float32)
            for name, size in self.inputs.items()
        }


def build_model(weights: Weights, *, name: str, inputs: Inputs | None = None) -> BuiltModel:
    """The model of `weights`, whose parameters must be exactly those that they hold.

    Kernels for an input of one channel that was repeated are summed over the channels.
    `inputs` are the sizes of its inputs where the checkpoint does not state them. Errors: UserError
    if model or sizes are unknown, or a parameter is missing or left over.
    """
    if weights.model is None:
        raise UserError(f"{name} does not state which model its weights are of.")
    inputs = weights.inputs or inputs
    if not inputs:
        raise UserError(
            f"{name} does not state the size of its inputs. Give it, such as --size rgb=32x224x224."
        )
    classes = num_classes(weights)
    module = module_of(weights)
    if not (hasattr(module, "num_classes") or isinstance(module, Autoencoder)):
        raise UserError(
            f"{name} is a {type(module).__name__}, which has neither logits nor features."
        )
    params = dict(weights.params)
    wanted = _shapes(module, inputs)
    params |= _for_one_channel(params, wanted)
    if classes is None:
        heads = {path: leaf for path, leaf in wanted.items() if f"/{HEAD}/" in f"/{path}"}
        if params.keys().isdisjoint(heads):  # else a part of the head is missing
            params |= {path: np.zeros(leaf.shape, leaf.dtype) for path, leaf in heads.items()}
    _require_equal(name, {**params, **weights.rest}, wanted)
    return BuiltModel(name, module, params, inputs, has_head=classes is not None)


def module_of(weights: Weights) -> Any:
    """The model of `weights`, which state one, without parameters; it has one class if they have
    no head."""
    assert weights.model is not None
    classes = {"num_classes": num_classes(weights) or 1} if _is_classifier(weights.model) else {}
    return build({**weights.model, **classes})


def with_inputs(weights: Weights, sizes: Inputs) -> Weights:
    """`weights` of a model with inputs of these sizes, where they are given."""
    return dataclasses.replace(weights, inputs={**weights.inputs, **sizes})


def num_classes(weights: Weights) -> int | None:
    """The width of the head; None without one, also of an autoencoder, which predicts pixels."""
    if weights.model is not None and not _is_classifier(weights.model):
        return None
    heads = [
        kernel.shape[-1]
        for path, kernel in weights.params.items()
        if path.endswith("/kernel") and path.split("/")[-2] == HEAD
    ]
    return heads[0] if len(heads) == 1 else None


def _is_classifier(model: Mapping[str, Any]) -> bool:
    """Whether it has classes; a function that makes a model is taken to make a classifier."""
    fields = getattr(resolve(model["target"]), "__dataclass_fields__", None)
    return fields is None or "num_classes" in fields


def _shapes(module: Any, inputs: Inputs) -> dict[str, Any]:
    """The parameters of a model for inputs of these sizes, path -> shape."""
    arrays = {
        name: jax.ShapeDtypeStruct((1, *size, _channels(name)), np.float32)
        for name, size in inputs.items()
    }
    init = functools.partial(module.init, jax.random.key(0))
    tree: Any = jax.eval_shape(init, **arrays)["params"]
    return dict(flatten_dict(tree, sep="/"))


def _for_one_channel(params: Leaves, wanted: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The patch kernels [*patch, c, d] of `params` that are for other channels than the one of the
    input, such as the three equal ones of spectrograms in the public audiovisual models."""
    return {
        path: change_channels(np.asarray(params[path]), 1)
        for path, leaf in wanted.items()
        if len(leaf.shape) > 3
        and path in params
        and leaf.shape[-2] == 1 < params[path].shape[-2]
        and leaf.shape[:-2] == params[path].shape[:-2]
    }


def _channels(modality: str) -> int:
    if modality not in BUILT_IN:
        raise UserError(
            f"Models of the modality {modality!r} cannot be run on random inputs; those of "
            f"{', '.join(BUILT_IN)} can."
        )
    return resolve(BUILT_IN[modality]).channels


def _require_equal(name: str, params: Leaves, wanted: Mapping[str, Any]) -> None:
    problems = [
        f"{path} is missing{near(path, params, most=2)}" for path in wanted if path not in params
    ]
    problems += [f"{path} is left over" for path in params if path not in wanted]
    problems += [
        f"{path} is {list(params[path].shape)}, not {list(leaf.shape)}"
        for path, leaf in wanted.items()
        if path in params and params[path].shape != leaf.shape
    ]
    if problems:
        raise UserError(
            f"The parameters of {name} are not those of its model:\n  " + "\n  ".join(problems)
        )
