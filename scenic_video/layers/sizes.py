"""The transformer sizes Ti, S, B, L and H of the papers; configs may import them."""

from typing import Any

from scenic_video.errors import UserError

SIZES: dict[str, dict[str, Any]] = {
    "Ti": {"hidden_size": 192, "mlp_dim": 768, "num_layers": 12, "num_heads": 3},
    "S": {"hidden_size": 384, "mlp_dim": 1536, "num_layers": 12, "num_heads": 6},
    "B": {"hidden_size": 768, "mlp_dim": 3072, "num_layers": 12, "num_heads": 12},
    "L": {"hidden_size": 1024, "mlp_dim": 4096, "num_layers": 24, "num_heads": 16},
    "H": {"hidden_size": 1280, "mlp_dim": 5120, "num_layers": 32, "num_heads": 16},
}


def size(name: str) -> dict[str, Any]:
    """The widths and depths of "Ti" (Touvron et al., DeiT, table 1), "S" (Steiner et al., How to
    train your ViT, table 2), "B", "L" or "H" (Dosovitskiy et al., table 1)."""
    if name not in SIZES:
        raise UserError(
            f"There is no model size {name!r}. Sizes are {', '.join(SIZES)} (upper and lower case "
            "matter)."
        )
    return dict(SIZES[name])
