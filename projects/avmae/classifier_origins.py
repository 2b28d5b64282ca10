"""Where the parameters of a model of one modality come from in a supervised ViT or ViViT, and those
of any model here in one with the same parameters."""

import re

import numpy as np

from projects.avmae.grids import grid_of, take_table
from projects.avmae.streams import POSITIONS
from scenic_video.weights.image_models import (
    TABLE,
    num_class_tokens,
    take_kernel,
    take_positions,
    take_resampled_positions,
)
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights

ENCODER_TABLE = f"Transformer/{TABLE}"
NORM = re.compile("(Transformer/)?encoder_norm/(.*)")


def take_from_classifier(
    path: str, target: ModelWeights, source: ModelWeights, *, kernel: str
) -> Take:
    """Where a parameter of a `PretrainedViT` comes from in a ViT or ViViT."""
    shape = target.flat[path].shape
    if path == "embedding/kernel":
        return take_kernel(
            path,
            shape,
            kernel=source.flat.get(path),
            inflation=kernel,
            resampling=target.resampling,
        )
    if path == TABLE and ENCODER_TABLE in source.flat:
        return _positions(path, target, source)
    if path == "cls" and ENCODER_TABLE in source.flat:
        table = np.asarray(source.flat[ENCODER_TABLE])
        return Take(
            path, lambda token: token + table[:, :1], "with the position of the token added"
        )
    if match := NORM.fullmatch(path):
        paths = [f"{place}encoder_norm/{match[2]}" for place in ("Transformer/", "")]
        return Take(next((name for name in paths if name in source.flat), path))
    return Take(path)


def _positions(path: str, target: ModelWeights, source: ModelWeights) -> Take:
    """The positions of the source; as many are unchanged if rows and columns are unknown."""
    new, old = grid_of(target, path), grid_of(source, path)
    tokens, number = num_class_tokens(source), target.flat[path].shape[1]
    if new is not None and old is not None and len(old) == len(new):
        return take_resampled_positions(
            ENCODER_TABLE, old=old, new=new, tokens=(0, tokens), resampling=target.resampling
        )
    as_many = number == source.flat[ENCODER_TABLE].shape[1] - tokens
    if new is None or (old is None and as_many):
        grid, old = (1, number), None
    else:
        grid = (1, *new)[-3:]
    return take_positions(
        ENCODER_TABLE,
        grid=grid,
        class_tokens=0,
        image_class_tokens=tokens,
        image_grid=old,
        resampling=target.resampling,
    )


def from_same(path: str, target: ModelWeights, source: ModelWeights) -> Take:
    """Where a parameter comes from in a model with the same ones, of whatever sizes."""
    resampling, array = target.resampling, source.flat[path]
    if re.fullmatch(r"embedding(_\w+)?/kernel", path):
        return take_kernel(path, target.flat[path].shape, kernel=array, resampling=resampling)
    if not POSITIONS.fullmatch(path):
        return Take(path)
    grids = grid_of(target, path), grid_of(source, path)
    if None in grids or grids[0] == grids[1]:
        return Take(path)
    shape = target.flat[path].shape
    return take_table(path, shape, array.shape, grids=grids, resampling=resampling)
