"""The plots of a stored campaign as small SVG images; `discovery.report.figures` has the same for the HTML report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from discovery import metrics
from discovery.report.style import color, labeled
from discovery.report.svg import Axis, Series, plot

if TYPE_CHECKING:
    import pandas as pd

    from discovery.evaluation.forecast import Forecast
    from discovery.report.campaign import CampaignFrames

INK = "#6e7781"  # lines that are no data
STATED = np.linspace(0.02, 0.98, 49)  # levels of the central intervals that the calibration plot looks at
BAND = 0.9  # of calibrated forecasters would lie within the band


def best_plot(frames: CampaignFrames, forecast: Forecast | None = None) -> str:
    """Draw every measurement in order, bounds as rings, the best so far, the target, and what a forecast expects.

    Args:
        frames: The campaign, with at least one measurement.
        forecast: A forecast, from these measurements or from the first of them.
    """
    y = frames.outcomes
    x = [float(i) for i in range(1, len(y) + 1)]
    blue = color("belief")
    best = metrics.best_so_far(y, frames.goal)
    is_bound = frames.is_bound
    numbers = np.array(x)
    series = [
        Series("measured", numbers[~is_bound].tolist(), y[~is_bound].tolist(), blue, "dots", opacity=0.5),
        Series("best so far", x, best.tolist(), blue, "steps"),
    ]
    if is_bound.any():
        series.append(Series("a bound (< or >)", numbers[is_bound].tolist(), y[is_bound].tolist(), blue, "rings"))
    if forecast is not None and forecast.measure == "best":
        series = [*_outlook(forecast), *series]
    target = frames.spec.stop.target
    ends = [value for one in series for value in (*one.y, *one.low)]
    span = [value for one in series for value in one.x]
    if target is not None:
        ends.append(target)
        series.append(Series("target", [min(span) - 1, max(span) + 1], [target] * 2, INK, is_dashed=True))
    named = labeled(frames.outcome, frames.unit)
    return plot(series, Axis.around("experiment", span, is_whole=True), Axis.around(named, ends))


def weights_plot(weights: pd.DataFrame) -> str:
    """Draw weights of hypotheses as stacked areas.

    Args:
        weights: One column per hypothesis, one row per number of measurements seen (`report.campaign.ledger`).
    """
    x = [float(n) for n in weights.index]
    upper = weights.cumsum(axis="columns")
    lower = upper.shift(axis="columns", fill_value=0.0)
    series = [
        Series(str(name), x, upper[name].tolist(), color(str(name)), "area", lower[name].tolist(), opacity=0.75)
        for name in weights
    ]
    return plot(series, Axis("measurements seen", x[0], x[-1], is_whole=True), Axis("weight", 0.0, 1.0), height=260)


def coverage_plot(pit: np.ndarray) -> str:
    """Draw the share of outcomes inside central intervals over the probability stated for them.

    Args:
        pit: What the belief had said about each outcome: the probability of at most that. Shape `r`.
    """
    from scipy.special import bdtr

    n, tail = len(pit), (1 - BAND) / 2
    at_most = bdtr(np.arange(n + 1)[:, None], n, STATED)  # probability of at most so many inside
    low, high = ((at_most >= p).argmax(axis=0) / n for p in (tail, 1 - tail))
    observed = [metrics.coverage(pit, float(level)) for level in STATED]
    stated = STATED.tolist()
    series = [
        Series(
            f"{100 * BAND:.0f} % of calibrated forecasters",
            stated,
            high.tolist(),
            INK,
            "area",
            low.tolist(),
            opacity=0.2,
        ),
        Series("as stated", [0.0, 1.0], [0.0, 1.0], INK, is_dashed=True),
        Series("observed", stated, observed, color("belief"), "steps"),
    ]
    x_axis = Axis("probability stated for the interval", 0.0, 1.0)
    return plot(series, x_axis, Axis("share of outcomes inside", 0.0, 1.05))


def _outlook(forecast: Forecast) -> list[Series]:
    """Return the best outcome to expect: a band and its median."""
    first = 1 if forecast.best is None else 0
    x = [float(forecast.n_measured + k) for k in range(first, forecast.n_experiments + 1)]
    low, middle, high = (list(forecast.best_after[level]) for level in ("0.1", "0.5", "0.9"))
    blue = color("belief")
    return [
        Series("expected best (80 %)", x, high, blue, "area", low, opacity=0.2),
        Series("", x, middle, blue, is_dashed=True),
    ]
