"""Small plots as SVG, written by hand: for pages that show images and run no script, in light and in dark.

A plot is a picture of at most a few kilobytes that follows the colors of the page around it. Where people may zoom and
ask for values, `discovery.report.figures` draws the same with plotly.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from xml.sax.saxutils import escape

from discovery.report.style import number

WIDTH, HEIGHT = 720, 300  # fits beside what Prefect shows to the right of a page
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 46  # room around the plot for titles, tick labels and the legend
N_TICKS = 6
LETTER = 6.6  # width of a letter of the legend
LIGHTER = 0.35  # how much white goes into a color on a dark page
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;fill:#57606a}"
    ".grid{stroke:#8b949e;stroke-opacity:.28}.axis{stroke:#8b949e}"
)
DARK_STYLE = "text{fill:#c9d1d9}"


@dataclass(frozen=True)
class Series:
    """What is drawn in one color.

    Attributes:
        name: What the legend says; nothing where it is empty.
        x: Where along the plot, in order.
        y: Values; the upper edge of an area.
        color: Six hex digits after `#`.
        kind: `line`, `steps` (a value holds until the next), `dots` or `area`.
        low: Lower edge of an area.
        is_dashed: Whether a line is dashed.
        opacity: Between 0 and 1.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    color: str
    kind: Literal["line", "steps", "dots", "area"] = "line"
    low: Sequence[float] = ()
    is_dashed: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class Axis:
    """One direction of a plot.

    Attributes:
        title: What it shows, with its unit.
        low: Value at its beginning.
        high: Value at its end; above `low`.
        is_whole: Whether only whole numbers are marked.
    """

    title: str
    low: float
    high: float
    is_whole: bool = False

    @classmethod
    def around(cls, title: str, values: Sequence[float], *, is_whole: bool = False) -> Axis:
        """Return an axis that holds values with some room at both ends."""
        low, high = (min(values), max(values)) if len(values) else (0.0, 1.0)
        pad = 0.5 if is_whole else 0.05 * (high - low) or 0.5
        return cls(title, low - pad, high + pad, is_whole)

    @property
    def ticks(self) -> list[float]:
        """Round values on the axis."""
        return ticks(self.low, self.high, is_whole=self.is_whole)

    def share(self, value: float) -> float:
        """Return where a value lies: 0 at the beginning, 1 at the end."""
        return (value - self.low) / (self.high - self.low)


def ticks(low: float, high: float, n: int = N_TICKS, *, is_whole: bool = False) -> list[float]:
    """Return at most about `n` round values between two ends: multiples of 1, 2 or 5 times a power of ten.

    Example:
        >>> ticks(0.0, 100.0)
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    raw = (high - low) / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    step = max(1.0, step) if is_whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def plot(series: Sequence[Series], x_axis: Axis, y_axis: Axis, height: int = HEIGHT) -> str:
    """Draw series as an SVG image.

    Args:
        series: What is drawn, from back to front.
        x_axis: The horizontal axis.
        y_axis: The vertical axis.
        height: Pixels.

    Returns:
        The image's text; what lies outside of the axes is cut.
    """
    frame = _Frame(x_axis, y_axis, height)
    drawn = "".join(frame.drawn(one, f"s{i}") for i, one in enumerate(series))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f"<style>{_style(series)}</style>{frame.axes()}"
        f'<clipPath id="c"><rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{height - TOP - BOTTOM}"/>'
        f'</clipPath><g clip-path="url(#c)">{drawn}</g>{_legend(series)}</svg>'
    )


def data_uri(svg: str) -> str:
    """Return an image as an address that holds it."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


@dataclass(frozen=True)
class _Frame:
    """From values to pixels."""

    x_axis: Axis
    y_axis: Axis
    height: int

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies, pixels from the upper left corner."""
        across = LEFT + self.x_axis.share(x) * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(self.height - BOTTOM - self.y_axis.share(y) * (self.height - TOP - BOTTOM), 1)

    def axes(self) -> str:
        """Draw grid, tick labels and titles."""
        left, bottom = LEFT, self.height - BOTTOM
        parts = [f'<line class="axis" x1="{left}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>']
        for value in self.y_axis.ticks:
            y = self.at(self.x_axis.low, value)[1]
            parts.append(f'<line class="grid" x1="{left}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
            parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{number(value)}</text>')
        for value in self.x_axis.ticks:
            x = self.at(value, self.y_axis.low)[0]
            parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{number(value)}</text>')
        middle = (TOP + bottom) / 2
        parts.append(_text(self.x_axis.title, (left + WIDTH - RIGHT) / 2, self.height - 10))
        parts.append(_text(self.y_axis.title, 14, middle, f'transform="rotate(-90 14 {middle})"'))
        return "".join(parts)

    def drawn(self, one: Series, name: str) -> str:
        """Draw a series under the name of its style."""
        points = [self.at(x, y) for x, y in zip(one.x, one.y, strict=True)]
        if one.kind == "dots":
            return "".join(f'<circle class="{name}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in points)
        if one.kind == "area":
            back = [self.at(x, y) for x, y in zip(one.x, one.low, strict=True)][::-1]
            return f'<polygon class="{name}" points="{_pairs(points + back)}"/>'
        if one.kind == "steps":
            corners = [(after[0], before[1]) for before, after in pairwise(points)]
            points = points[:1] + [p for pair in zip(corners, points[1:], strict=True) for p in pair]
        return f'<polyline class="{name}" points="{_pairs(points)}"/>'


def _style(series: Sequence[Series]) -> str:
    light = "".join(_rule(i, one, one.color) for i, one in enumerate(series))
    dark = "".join(_rule(i, one, _lighter(one.color)) for i, one in enumerate(series))
    return f"{STYLE}{light}@media(prefers-color-scheme:dark){{{DARK_STYLE}{dark}}}"


def _rule(i: int, one: Series, color: str) -> str:
    if one.kind in ("dots", "area"):
        return f".s{i}{{fill:{color};fill-opacity:{one.opacity:g}}}"
    dashes = ";stroke-dasharray:5 4" if one.is_dashed else ""
    width = 1.5 if one.is_dashed else 2.5
    return f".s{i}{{fill:none;stroke:{color};stroke-width:{width};stroke-opacity:{one.opacity:g}{dashes}}}"


def _lighter(color: str) -> str:
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + LIGHTER * (255 - part)):02x}" for part in parts)


def _legend(series: Sequence[Series]) -> str:
    """Draw a colored sign and the name of every series that has one, from the left."""
    parts, x = [], float(LEFT)
    for i, one in enumerate(series):
        if not one.name:
            continue
        sign = {
            "dots": f'<circle class="s{i}" cx="{x + 9}" cy="14" r="3.5"/>',
            "area": f'<rect class="s{i}" x="{x + 2}" y="8" width="14" height="12"/>',
        }.get(one.kind, f'<line class="s{i}" x1="{x}" y1="14" x2="{x + 18}" y2="14"/>')
        parts.append(f'{sign}<text x="{x + 23}" y="18">{escape(one.name)}</text>')
        x = round(x + 38 + LETTER * len(one.name), 1)
    return "".join(parts)


def _text(text: str, x: float, y: float, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" {more}>{escape(text)}</text>'


def _pairs(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
