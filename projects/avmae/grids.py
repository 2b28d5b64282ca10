"""The grids of tokens that tables of positions are for."""

from typing import Any

from scenic_video.weights.model_weights import ModelWeights, token_grid


def grid_of(weights: ModelWeights, path: str) -> tuple[int, ...] | None:
    """The grid of a table of positions, by the size of the inputs and the patch kernel; None if
    it is unknown."""
    if weights.grid is not None:
        return tuple(weights.grid)  # pyright: ignore[reportReturnType]
    embedding = path.replace("posembed_input", "embedding").removeprefix("Transformer/")
    kernel: Any = weights.flat.get(f"{embedding.partition('/')[0]}/kernel")
    audio = "spectrogram" in path or "rgb" not in weights.inputs
    return token_grid(kernel, weights.inputs.get("audio" if audio else "rgb"))
