"""Formats numbers and durations for people to read."""

from typing import Any


def format_value(value: Any) -> str:
    """Numbers with four significant digits (0.0003, 12,345, 1.5e-06), other values as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def format_seconds(seconds: int | float) -> str:
    """42s, 3:07, 2:03:07 or 5d 2:03:07."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if not minutes:
        return f"{second}s"
    clock = f"{hour}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{days}d {clock}" if days else clock
