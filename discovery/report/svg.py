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
        kind: `line`, `steps` (a value holds until the next), `dots`, `rings`, `area`, or `whiskers` (upright lines).
        low: Lower edge of an area, or lower ends of whiskers.
        is_dashed: Whether a line is dashed.
        opacity: Between 0 and 1.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    color: str
    kind: Literal["line", "steps", "dots", "rings", "area", "whiskers"] = "line"
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
        is_log: Whether equal ratios are equally far apart; then `low` is above 0.
        labels: What stands at 0, 1, 2, … in place of numbers; empty for numbers.
    """

    title: str
    low: float
    high: float
    is_whole: bool = False
    is_log: bool = False
    labels: tuple[str, ...] = ()

    @classmethod
    def around(cls, title: str, values: Sequence[float], *, is_whole: bool = False) -> Axis:
        """Return an axis that holds values with some room at both ends."""
        low, high = (min(values), max(values)) if len(values) else (0.0, 1.0)
        pad = 0.5 if is_whole else 0.05 * (high - low) or 0.5
        return cls(title, low - pad, high + pad, is_whole)

    @classmethod
    def listed(cls, title: str, labels: Sequence[str]) -> Axis:
        """Return an axis with words side by side."""
        return cls(title, -0.5, len(labels) - 0.5, labels=tuple(labels))

    @property
    def ticks(self) -> list[float]:
        """Round values on the axis, or the places of its labels."""
        if self.labels:
            return [float(i) for i in range(len(self.labels))]
        if self.is_log:
            return log_ticks(self.low, self.high)
        return ticks(self.low, self.high, is_whole=self.is_whole)

    def text(self, value: float, room: float) -> str:
        """Return what is written at a tick: its number, or its label as far as it has room, pixels."""
        if not self.labels:
            return number(value)
        label, n_letters = self.labels[round(value)], max(int(room / LETTER), 2)
        return label if len(label) <= n_letters else f"{label[: n_letters - 1]}…"

    def share(self, value: float) -> float:
        """Return where a value lies: 0 at the beginning, 1 at the end."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
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


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values between two ends above 0: powers of ten with 2 and 5 times these, or powers of ten alone.

    Example:
        >>> log_ticks(60.0, 600.0)
        [100.0, 200.0, 500.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        found = [f * 10.0**power for power in powers for f in factors if low * 0.999 <= f * 10.0**power <= high * 1.001]
        if len(found) <= N_TICKS:
            break
    return found if len(found) > 1 else ticks(low, high)


def plot(series: Sequence[Series], x_axis: Axis, y_axis: Axis, height: int = HEIGHT, width: int = WIDTH) -> str:
    """Draw series as an SVG image.

    Args:
        series: What is drawn, from back to front.
        x_axis: The horizontal axis.
        y_axis: The vertical axis.
        height: Pixels.
        width: Pixels.

    Returns:
        The image's text; what lies outside of the axes is cut.
    """
    frame = Frame(x_axis, y_axis, height, width)
    drawn = "".join(frame.drawn(one, f"s{i}") for i, one in enumerate(series))
    return frame.image(_rules(series), frame.axes() + frame.cut(drawn) + _legend(series))


def data_uri(svg: str) -> str:
    """Return an image as an address that holds it."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


@dataclass(frozen=True)
class Frame:
    """From values to pixels: a plot without what is drawn in it.

    Attributes:
        x_axis: The horizontal axis.
        y_axis: The vertical axis.
        height: Pixels.
        width: Pixels.
    """

    x_axis: Axis
    y_axis: Axis
    height: int = HEIGHT
    width: int = WIDTH

    def image(self, rules: str, content: str) -> str:
        """Return an image with some style rules and what is drawn."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}"><style>{rules}</style>{content}</svg>'
        )

    def cut(self, drawn: str) -> str:
        """Return what is drawn as far as it lies between the axes."""
        across, upwards = self.width - LEFT - RIGHT, self.height - TOP - BOTTOM
        clip = f'<clipPath id="c"><rect x="{LEFT}" y="{TOP}" width="{across}" height="{upwards}"/></clipPath>'
        return f'{clip}<g clip-path="url(#c)">{drawn}</g>'

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies, pixels from the upper left corner."""
        across = LEFT + self.x_axis.share(x) * (self.width - LEFT - RIGHT)
        return round(across, 1), round(self.height - BOTTOM - self.y_axis.share(y) * (self.height - TOP - BOTTOM), 1)

    def axes(self) -> str:
        """Draw grid, tick labels and titles."""
        left, right, bottom = LEFT, self.width - RIGHT, self.height - BOTTOM
        parts = [f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>']
        room = (right - left) / max(len(self.x_axis.labels), 1)  # pixels for a label
        for value in self.y_axis.ticks:
            y = self.at(self.x_axis.low, value)[1]
            parts.append(f'<line class="grid" x1="{left}" y1="{y}" x2="{right}" y2="{y}"/>')
            label = self.y_axis.text(value, LEFT - 14)
            parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(label)}</text>')
        for value in self.x_axis.ticks:
            x = self.at(value, self.y_axis.low)[0]
            label = self.x_axis.text(value, room)
            parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{escape(label)}</text>')
        middle = (TOP + bottom) / 2
        parts.append(_text(self.x_axis.title, (left + right) / 2, self.height - 10))
        parts.append(_text(self.y_axis.title, 14, middle, f'transform="rotate(-90 14 {middle})"'))
        return "".join(parts)

    def drawn(self, one: Series, name: str) -> str:
        """Draw a series under the name of its style."""
        points = [self.at(x, y) for x, y in zip(one.x, one.y, strict=True)]
        if one.kind in ("dots", "rings"):
            return "".join(f'<circle class="{name}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in points)
        if one.kind == "area":
            back = [self.at(x, y) for x, y in zip(one.x, one.low, strict=True)][::-1]
            return f'<polygon class="{name}" points="{_pairs(points + back)}"/>'
        if one.kind == "whiskers":
            ends = [self.at(x, low)[1] for x, low in zip(one.x, one.low, strict=True)]
            lines = zip(points, ends, strict=True)
            return "".join(f'<line class="{name}" x1="{x}" y1="{y}" x2="{x}" y2="{end}"/>' for (x, y), end in lines)
        if one.kind == "steps":
            corners = [(after[0], before[1]) for before, after in pairwise(points)]
            points = points[:1] + [p for pair in zip(corners, points[1:], strict=True) for p in pair]
        return f'<polyline class="{name}" points="{_pairs(points)}"/>'


def _rules(series: Sequence[Series]) -> str:
    light = "".join(_rule(i, one, one.color) for i, one in enumerate(series))
    dark = "".join(_rule(i, one, _lighter(one.color)) for i, one in enumerate(series))
    return style(light, dark)


def style(light: str, dark: str) -> str:
    """Return the rules of a plot, with those for light and for dark pages."""
    return f"{STYLE}{light}@media(prefers-color-scheme:dark){{{DARK_STYLE}{dark}}}"


def _rule(i: int, one: Series, color: str) -> str:
    if one.kind in ("dots", "area"):
        return f".s{i}{{fill:{color};fill-opacity:{one.opacity:g}}}"
    if one.kind == "rings":
        return f".s{i}{{fill:none;stroke:{color};stroke-width:1.5;stroke-opacity:{one.opacity:g}}}"
    dashes = ";stroke-dasharray:5 4" if one.is_dashed else ""
    width = 1.5 if one.is_dashed else 4 if one.kind == "whiskers" else 2.5
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
            **dict.fromkeys(("dots", "rings"), f'<circle class="s{i}" cx="{x + 9}" cy="14" r="3.5"/>'),
            "area": f'<rect class="s{i}" x="{x + 2}" y="8" width="14" height="12"/>',
        }.get(one.kind, f'<line class="s{i}" x1="{x}" y1="14" x2="{x + 18}" y2="14"/>')
        parts.append(f'{sign}<text x="{x + 23}" y="18">{escape(one.name)}</text>')
        x = round(x + 38 + LETTER * len(one.name), 1)
    return "".join(parts)


def _text(text: str, x: float, y: float, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" {more}>{escape(text)}</text>'


def _pairs(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
