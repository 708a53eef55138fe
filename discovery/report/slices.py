"""Cuts through a belief along one parameter as small SVG images; `discovery.report.maps` draws those over two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from discovery.report.style import color, labeled
from discovery.report.svg import Axis, Series, plot

if TYPE_CHECKING:
    from discovery.review.explanation import Explanation, MeasuredPoint
    from discovery.review.slices import Slice

WIDTH, HEIGHT = 500, 260
NEAR = 0.35  # distance in the other parameters up to which a measurement is drawn as near
PAD = 0.03  # of a parameter's range, at both ends: signs at the ends stay whole
INK, GRAY, WARM = "#4b535d", "#6e7781", "#d55e00"


def slice_plot(cut: Slice, explanation: Explanation) -> str:
    """Draw the belief along one parameter: mean, interval, what was measured, and the proposal.

    Args:
        cut: The slice.
        explanation: What it belongs to; made with plots.
    """
    card = explanation.card
    y_axis = _outcome_axis(explanation)
    x_axis, places = axis_of(cut.parameter, cut.unit, cut.scale, cut.values)
    low, mean, high = list(cut.low), list(cut.mean), list(cut.high)
    series = [*_forbidden(cut, x_axis, places, y_axis), *_belief(cut.scale, places, low, mean, high)]
    series += _measured(explanation, cut)
    here = places[cut.here]
    series.append(Series("this proposal", [here], [mean[cut.here]], WARM, "dots"))
    if cut.scale != "listed":
        series.insert(0, Series("", [here, here], [y_axis.low, y_axis.high], WARM, is_dashed=True))
    titled = Axis(labeled(card.outcome, card.unit), y_axis.low, y_axis.high)
    return plot(series, x_axis, titled, HEIGHT, WIDTH)


def axis_of(name: str, unit: str, scale: str, values: Sequence[object]) -> tuple[Axis, list[float]]:
    """Return the axis of a parameter and the places of its values on it."""
    title = labeled(name, unit)
    if scale == "listed":
        return Axis.listed(title, [str(value) for value in values]), [float(i) for i in range(len(values))]
    places = [float(str(value)) for value in values]
    low, high = min(places), max(places)
    if scale == "log":
        pad = (high / low) ** PAD
        return Axis(title, low / pad, high * pad, is_log=True), places
    pad = PAD * (high - low) or 0.5
    return Axis(title, low - pad, high + pad), places


def _outcome_axis(explanation: Explanation) -> Axis:
    """Return the axis that all slices of an explanation share: intervals and measurements, within the range."""
    ends = [value for cut in explanation.slices for value in (*cut.low, *cut.high)]
    y = [point.outcome for point in explanation.points]
    axis = Axis.around("", [*ends, *y])
    if explanation.range is None:
        return axis
    low, high = explanation.range
    pad = 0.04 * (high - low)
    return Axis("", min([max(axis.low, low - pad), *y]), max([min(axis.high, high + pad), *y]))


def _belief(scale: str, x: list[float], low: list[float], mean: list[float], high: list[float]) -> list[Series]:
    """Draw interval and mean: an area and a line, or an upright line and a dot for every word."""
    blue = color("belief")
    if scale == "listed":
        return [
            Series("90 % interval", x, high, blue, "whiskers", low, opacity=0.3),
            Series("mean", x, mean, blue, "dots"),
        ]
    return [Series("90 % interval", x, high, blue, "area", low, opacity=0.18), Series("mean", x, mean, blue)]


def _measured(explanation: Explanation, cut: Slice) -> list[Series]:
    """Draw measurements, those that differ little in the other parameters apart from the rest."""
    found: list[Series] = []
    for is_near, opacity in ((False, 0.45), (True, 1.0)):
        points = [p for p in explanation.points if (elsewhere(p, cut.parameter) <= NEAR) == is_near]
        points = [p for p in points if cut.scale != "listed" or p.configuration[cut.parameter] in cut.values]
        if points:
            places = [place_of(cut.scale, cut.values, p.configuration[cut.parameter]) for p in points]
            name = "" if any(one.name for one in found) else "measured"
            found.append(Series(name, places, [p.outcome for p in points], INK, "dots", opacity=opacity))
    return found


def elsewhere(point: MeasuredPoint, *but: str) -> float:
    """Return how far a measurement lies from the proposal in all other parameters."""
    return math.sqrt(sum(far**2 for name, far in point.distances.items() if name not in but))


def place_of(scale: str, values: Sequence[object], value: object) -> float:
    """Return where a value lies on the axis of its parameter."""
    return float(list(values).index(value)) if scale == "listed" else float(str(value))


def _forbidden(cut: Slice, x_axis: Axis, places: list[float], y_axis: Axis) -> list[Series]:
    """Draw where the constraints allow no configuration as gray areas; only the first is named."""
    found: list[Series] = []
    half = 0.5 if cut.scale == "listed" else 0.0
    for is_allowed, run in groupby(range(len(places)), key=lambda i: cut.is_allowed[i]):
        if is_allowed:
            continue
        stretch = list(run)
        begin = max(x_axis.low, places[max(stretch[0] - (not half), 0)] - half)
        end = min(x_axis.high, places[min(stretch[-1] + (not half), len(places) - 1)] + half)
        name = "" if found else "not allowed"
        found.append(Series(name, [begin, end], [y_axis.high] * 2, GRAY, "area", [y_axis.low] * 2, opacity=0.2))
    return found
