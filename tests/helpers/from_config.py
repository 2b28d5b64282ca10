"""Objects made as a config makes them, which checks fields before the constructor is called."""

from typing import Any

from scenic_video.config import build


def from_config(kind: type, **fields: Any) -> Any:
    return build({"target": f"{kind.__module__}:{kind.__qualname__}", **fields})
