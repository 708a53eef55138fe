"""Cuts through a belief over two parameters as small SVG images: the mean as a colored map."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from discovery.report.slices import NEAR, WARM, WIDTH, axis_of, elsewhere, place_of
from discovery.report.style import labeled, number
from discovery.report.svg import BOTTOM, LEFT, RIGHT, TOP, Axis, Frame, style

if TYPE_CHECKING:
    from discovery.review.explanation import Explanation, MeasuredPoint
    from discovery.review.slices import PairMap

HEIGHT = 400
SCALE = 64  # pixels at the right for the scale of the colors
N_COLORS = 24
PALETTE = ((0, 32, 76), (66, 78, 108), (124, 123, 120), (187, 173, 108), (255, 234, 70))
"""Cividis (Nuñez, Anderton, Renslow 2018) at five places: read alike with color-blind eyes and in gray."""
RULES = (
    "rect{shape-rendering:crispEdges}.m{stroke:#fff;stroke-width:1.5}.h{fill:none;stroke:#fff;stroke-width:5}"
    f".i{{fill:none;stroke:{WARM};stroke-width:3}}.no{{fill:#8b949e;fill-opacity:.35}}.k{{fill:#8b949e}}"
)


def pair_plot(pair: PairMap, explanation: Explanation) -> str:
    """Draw the mean over two parameters as a map, what was measured, and the proposal."""
    x_axis, across = axis_of(pair.parameters[0], pair.units[0], pair.scales[0], pair.across)
    y_axis, upwards = axis_of(pair.parameters[1], pair.units[1], pair.scales[1], pair.upwards)
    frame = Frame(x_axis, y_axis, HEIGHT, WIDTH - SCALE)
    values = [value for row in pair.mean for value in row]
    low, high = min(values), max(values)
    high = high if high > low else low + 1.0
    cells = _cells(pair, frame, (across, upwards), (low, high))
    dots = [_dot(frame, pair, (across, upwards), point, (low, high)) for point in explanation.points]
    x, y = frame.at(across[pair.here[0]], upwards[pair.here[1]])
    here = f'<circle class="h" cx="{x}" cy="{y}" r="8"/><circle class="i" cx="{x}" cy="{y}" r="8"/>'
    name = labeled(explanation.card.outcome, explanation.card.unit)
    content = frame.axes() + frame.cut(cells + "".join(dots)) + here + _legend(frame, f"mean of {name}")
    whole = Frame(x_axis, y_axis, HEIGHT, WIDTH)
    return whole.image(style(RULES, ""), content + _scale(frame, (low, high)))


def _cells(pair: PairMap, frame: Frame, places: tuple[list[float], list[float]], ends: tuple[float, float]) -> str:
    """Draw the cells of a map; neighbors in a row of one color are one rectangle."""
    left, top = _edges(places[0], frame, 0), _edges(places[1], frame, 1)
    parts = []
    for j, row in enumerate(pair.mean):
        looks = [_shade(value, ends) if ok else "no" for value, ok in zip(row, pair.is_allowed[j], strict=True)]
        y, height = min(top[j : j + 2]), abs(top[j + 1] - top[j])
        for look, run in groupby(range(len(row)), key=lambda i: looks[i]):
            cells = list(run)
            x, end = left[cells[0]], left[cells[-1] + 1]
            paint = 'class="no"' if look == "no" else f'fill="{look}"'
            parts.append(f'<rect x="{x:g}" y="{y:g}" width="{end - x + 0.4:.1f}" height="{height + 0.4:.1f}" {paint}/>')
    return "".join(parts)


def _edges(places: list[float], frame: Frame, direction: int) -> list[float]:
    """Return the pixels between cells: middles between places, and the ends of the axis."""
    axis = (frame.x_axis, frame.y_axis)[direction]
    origin = (frame.x_axis.low, frame.y_axis.low)
    pixels = [frame.at(p, origin[1])[0] if direction == 0 else frame.at(origin[0], p)[1] for p in places]
    ends = [frame.at(e, origin[1])[0] if direction == 0 else frame.at(origin[0], e)[1] for e in (axis.low, axis.high)]
    return [ends[0], *((a + b) / 2 for a, b in pairwise(pixels)), ends[1]]


def _dot(
    frame: Frame,
    pair: PairMap,
    places: tuple[list[float], list[float]],
    point: MeasuredPoint,
    ends: tuple[float, float],
) -> str:
    """Draw a measurement in the color of its outcome; smaller where it is far in the other parameters."""
    known = [point.configuration[name] for name in pair.parameters]
    listed = (pair.across, pair.upwards)
    if any(scale == "listed" and v not in own for scale, v, own in zip(pair.scales, known, listed, strict=True)):
        return ""
    spots = [place_of(scale, own, v) for scale, own, v in zip(pair.scales, listed, known, strict=True)]
    x, y = frame.at(spots[0], spots[1])
    radius = 5 if elsewhere(point, *pair.parameters) <= NEAR else 3
    return f'<circle class="m" cx="{x}" cy="{y}" r="{radius}" fill="{_shade(point.outcome, ends)}"/>'


def _shade(value: float, ends: tuple[float, float]) -> str:
    """Return the color of a value between two ends, in steps."""
    share = min(max((value - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)
    at = round(share * (N_COLORS - 1)) / (N_COLORS - 1) * (len(PALETTE) - 1)
    i = min(int(at), len(PALETTE) - 2)
    mixed = (round(a + (at - i) * (b - a)) for a, b in zip(PALETTE[i], PALETTE[i + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _scale(frame: Frame, ends: tuple[float, float]) -> str:
    """Draw the scale of a map's colors at its right."""
    x, height = frame.width - RIGHT + 14, (frame.height - TOP - BOTTOM) / N_COLORS
    axis = Axis("", *ends)
    steps = [ends[0] + (i + 0.5) / N_COLORS * (ends[1] - ends[0]) for i in range(N_COLORS)]
    bars = "".join(
        f'<rect x="{x}" y="{frame.height - BOTTOM - (i + 1) * height:.1f}" width="12" height="{height + 0.4:.1f}" '
        f'fill="{_shade(value, ends)}"/>'
        for i, value in enumerate(steps)
    )
    middle = Frame(frame.x_axis, axis, frame.height, frame.width)
    words = "".join(
        f'<text x="{x + 16}" y="{middle.at(frame.x_axis.low, tick)[1] + 4}">{number(tick)}</text>'
        for tick in axis.ticks
    )
    return bars + words


def _legend(frame: Frame, said: str) -> str:
    """Draw what the signs of a map mean above it."""
    here, measured = frame.width - 200, frame.width - 96
    return (
        f'<text x="{LEFT}" y="18">{escape(said)}</text>'
        f'<circle class="i" cx="{here}" cy="14" r="6"/><text x="{here + 12}" y="18">this proposal</text>'
        f'<circle class="k" cx="{measured}" cy="14" r="4"/><text x="{measured + 10}" y="18">measured</text>'
    )
