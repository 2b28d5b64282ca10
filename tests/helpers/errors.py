"""What an error says."""

from collections.abc import Callable
from typing import Any

import pytest


def message(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> str:
    """The text of the ValueError that a call ends in."""
    with pytest.raises(ValueError) as caught:
        call(*arguments, **keywords)
    return str(caught.value)
