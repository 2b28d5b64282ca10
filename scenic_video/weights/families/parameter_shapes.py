"""What the names and shapes of parameters show about a Flax model: sizes, layers, patches."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import ENCODER, SELF_ATTENTION


class ParameterShapes(Mapping[str, tuple[int, ...]]):
    """Path -> shape, of arrays or anything else that has `.shape`."""

    def __init__(self, leaves: Mapping[str, Any]):
        self._shapes = {path: tuple(leaf.shape) for path, leaf in leaves.items()}

    def __getitem__(self, path: str) -> tuple[int, ...]:
        return self._shapes[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def has(self, pattern: str) -> bool:
        """Whether a path begins with this regular expression."""
        return any(re.match(pattern, path) for path in self)

    def of(self, path: str, axes: int) -> tuple[int, ...]:
        """The shape at `path`. Errors: UserError unless it is there and has so many axes."""
        shape = self._shapes.get(path)
        if shape is None:
            raise UserError(f"The checkpoint lacks {path!r}, which all models of its family have.")
        if len(shape) != axes or 0 in shape:
            raise UserError(f"{path} has the shape {list(shape)}; wanted {axes} axes of 1 or more.")
        return shape

    def count(self, pattern: str) -> int:
        """How many layers, views or modules there are: the group of `pattern`, a regular expression
        of the start of a path, is their number. Errors: UserError if numbers are left out."""
        found = {int(match[1]) for path in self if (match := re.match(pattern, path))}
        if missing := set(range(len(found))) - found:
            first = pattern.replace(r"(\d+)", str(min(missing)))
            known = ", ".join(map(str, sorted(found)[:20]))
            raise UserError(f"The checkpoint has no {first!r}, but has the numbers {known}.")
        return len(found)

    def kernel(self, embedding: str) -> tuple[int, ...]:
        """The shape (t,) h, w, channels, width of the kernel of a patch embedding."""
        path = f"{embedding}/kernel"
        return self.of(path, 5 if len(self.get(path, ())) == 5 else 4)

    def patch(self, embedding: str) -> tuple[int, ...]:
        """The extents of a patch (h, w) or tubelet (t, h, w)."""
        return self.kernel(embedding)[:-2]

    def representation(self, layer: str = "pre_logits") -> dict[str, int]:
        """The field representation_size, if there is a `layer` before the head."""
        path = f"{layer}/kernel"
        return {"representation_size": self.of(path, 2)[1]} if path in self else {}

    def encoder(
        self,
        name: str = ENCODER,
        *,
        suffix: str = "",
        attention: str = SELF_ATTENTION,
        mlp: str = "MlpBlock_0",
    ) -> dict[str, int]:
        """The fields of a transformer that follow from its blocks, "<name>/encoderblock_0<suffix>":
        hidden_size, mlp_dim, num_layers and num_heads."""
        block = f"{name}/encoderblock_0{suffix}"
        layers = self.count(rf"{re.escape(name)}/encoderblock_(\d+){suffix}/")
        sizes = self.block(f"{block}/{attention}", f"{block}/{mlp}")
        return sizes | {"num_layers": layers}

    def block(self, attention: str, mlp: str) -> dict[str, int]:
        """hidden_size, num_heads and mlp_dim of a block, by its attention and its MLP."""
        hidden_size, num_heads, _ = self.of(f"{attention}/query/kernel", 3)
        mlp_dim = self.of(f"{mlp}/Dense_0/kernel", 2)[1]
        return {"hidden_size": hidden_size, "mlp_dim": mlp_dim, "num_heads": num_heads}
