"""The messages of errors."""

from collections.abc import Callable
from typing import Any

import pytest


def message(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> str:
    """The message of the ValueError that a call raises."""
    with pytest.raises(ValueError) as caught:
        call(*arguments, **keywords)
    return str(caught.value)
