"""Figures and images for an HTML page, as SVG and data URIs.

The text and rules of an SVG have the colours of the page (`currentColor`, `var(--rule)`), and
empty cells of a heatmap are transparent, so that figures fit light and dark pages.
"""

import base64
import html
import io
import itertools
import re
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from einops import reduce
from jaxtyping import Float, Integer, UInt8
from matplotlib import image, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Points = tuple[Sequence[int | float], Sequence[int | float]]
"""Steps and the values at these steps."""

PALETTE = ("#4a7dc9", "#e08a2e", "#3f9e77", "#b765a8", "#8a8f3c", "#c0564f")
RIGHT_COLOR, WRONG_COLOR = (0.27, 0.50, 0.86), (0.90, 0.46, 0.13)
INK, RULE = "#010203", "#040506"  # placeholders that `_to_svg` replaces by the colours of the page
SIZE_INCHES = (4.6, 2.4)
MANY_POINTS = 60
"""Longer curves are smoothed."""


def curves(
    series: Mapping[str, Points], *, label: str, percent: bool = False, smooth: bool = True
) -> str:
    """An SVG of lines over training steps.

    With `smooth`, long lines are pale below their running mean.
    """
    figure, axes = _figure()
    for (name, (steps, values)), color in zip(series.items(), _colors(len(series)), strict=True):
        values = np.asarray(values, float)
        if smooth and len(values) > MANY_POINTS:
            axes.plot(steps, values, color=color, linewidth=0.8, alpha=0.3)
            values = _running_mean(values, window=len(values) // 20)
        marker = "o" if len(values) < 12 else None
        axes.plot(steps, values, color=color, linewidth=1.6, marker=marker, ms=3, label=name)
    if percent:
        axes.yaxis.set_major_formatter(ticker.PercentFormatter(xmax=1, symbol=" %"))
    axes.margins(x=0.01)
    _legend(axes, list(series))
    return _to_svg(figure, label)


def shares(series: Mapping[str, Points], *, label: str) -> str:
    """An SVG of shares that add up to 1, stacked over training steps."""
    figure, axes = _figure()
    steps = next(iter(series.values()))[0]
    values = [values for _, values in series.values()]
    axes.stackplot(
        steps, *values, labels=list(series), colors=_colors(len(values)), alpha=0.75, linewidth=0
    )
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(xmax=1, symbol=" %"))
    axes.margins(x=0)
    _legend(axes, list(series))
    return _to_svg(figure, label)


def heatmap(confusion: Integer[np.ndarray, "c c"], *, reach: int = 0) -> str:
    """A PNG of one pixel per cell, more intense for a larger share of the true class.

    The diagonal (correct) is blue and the rest (wrong) orange. A cell extends by `reach` pixels on
    all sides, up to more intense ones, so that it is visible among hundreds.
    """
    strength = np.sqrt(confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1))
    right = np.diag(np.diag(strength))
    right, wrong = _spread(right, reach), _spread(strength - right, reach)
    pixels = np.where((right > wrong)[..., None], RIGHT_COLOR, WRONG_COLOR)
    return _data_uri(np.dstack([pixels, 0.85 * np.maximum(right, wrong)]), "png")


def _spread(strength: Float[np.ndarray, "c c"], reach: int) -> Float[np.ndarray, "c c"]:
    """The maximum over a square around each cell."""
    for axis in (0, 1):
        padded = np.pad(strength, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
        strength = windows.max(axis=-1)
    return strength


def thumbnails(frames: UInt8[np.ndarray, "t h w 3"], *, count: int, height: int) -> list[str]:
    """JPEGs of at most `count` frames, evenly spread and about `height` pixels high."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    return [_data_uri(_shrunk(frame, height), "jpeg") for frame in frames[chosen]]


def _shrunk(frame: UInt8[np.ndarray, "h w 3"], height: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The frame reduced by block means to at least `height` rows."""
    factor = max(1, frame.shape[0] // height)
    rows, columns = (size // factor * factor for size in frame.shape[:2])
    blocks = frame[:rows, :columns].astype(float)
    return reduce(blocks, "(h f1) (w f2) c -> h w c", "mean", f1=factor, f2=factor).astype(np.uint8)


def _data_uri(pixels: np.ndarray, kind: str) -> str:
    buffer = io.BytesIO()
    image.imsave(buffer, pixels, format=kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    return figure, axes


def _legend(axes: Axes, names: Sequence[str]) -> None:
    if len(names) > 1:
        widest = max(len(name) for name in names) + 5
        legend = axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=max(1, min(len(names), 60 // widest)),
            frameon=False,
            fontsize=8,
            labelcolor=INK,
            handlelength=1.2,
            columnspacing=1.2,
            borderaxespad=0.2,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)  # a head may be called "$5" or "$\\frac$"


def _colors(count: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(PALETTE), count))


def _running_mean(values: Float[np.ndarray, " n"], window: int) -> Float[np.ndarray, " n"]:
    """The mean over up to `window` values on both sides, down to a third of it at the ends."""
    known = np.isfinite(values)
    sums = np.cumsum(np.concatenate([[0.0], np.where(known, values, 0.0)]))
    counts = np.cumsum(np.concatenate([[0], known]))
    places = np.arange(len(values))
    reach = np.clip(np.minimum(places, places[::-1]), window // 3, window)
    low, high = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    count = counts[high] - counts[low]
    return np.where(count > 0, (sums[high] - sums[low]) / np.maximum(count, 1), np.nan)


def _to_svg(figure: Figure, label: str) -> str:
    """The figure as an <svg> element; the label must be unique on the page."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor").replace(RULE, "var(--rule)")
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r" font-family:[^;\"]*;", "", text)
    prefix = re.sub(r"\W+", "-", label) + "-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{prefix}", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)
