"""The plots of a campaign: what was measured lies where it was, and bands hold what they say."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from discovery.evaluation.forecast import Forecast
from discovery.report.figures import progress_figure
from discovery.report.plots import best_plot, coverage_plot, weights_plot
from discovery.report.svg import BOTTOM, TOP

SVG = "{http://www.w3.org/2000/svg}"


def corners(svg: str, tag: str, i: int = 0) -> np.ndarray:
    """Return the corners of one line or polygon of the plot. Shape `n x 2`."""
    found = ElementTree.fromstring(svg).findall(f"./{SVG}g/{SVG}{tag}")
    return np.array([[float(value) for value in pair.split(",")] for pair in found[i].attrib["points"].split()])


def test_every_measurement_is_a_dot_and_the_best_never_falls(frames):
    """Three measurements are three dots; the line of the best so far goes up and stays up."""
    svg = best_plot(frames)
    assert len(ElementTree.fromstring(svg).findall(f"./{SVG}g/{SVG}circle")) == 3
    heights = corners(svg, "polyline")[:, 1]
    assert (np.diff(heights) <= 0).all() and heights[0] > heights[-1]


def test_bounds_are_rings(frames):
    """A bound is a ring that the legend names, where the others are dots; without bounds there is no such thing."""
    limits = [None, "<", None]
    svg = best_plot(replace(frames, measurements=frames.measurements.assign(yield_limit=limits)))
    plain, said = best_plot(frames), "a bound (&lt; or &gt;)"
    assert said in svg and said not in plain
    drawn, before = (ElementTree.fromstring(one).findall(f"./{SVG}g/{SVG}circle") for one in (svg, plain))
    assert sorted((c.attrib["cx"], c.attrib["cy"]) for c in drawn) == sorted(
        (c.attrib["cx"], c.attrib["cy"]) for c in before
    )
    assert len({c.attrib["class"] for c in drawn}) == 2 and "fill:none;stroke:" in svg


def test_bounds_are_rings_on_the_page_too():
    """The interactive plot has bounds as a series of their own, and none where there are none."""
    y, is_bound = np.array([5.0, 40.0, 60.0]), np.array([True, False, False])
    told = {one.name: list(one.y) for one in progress_figure(y, "maximize", "yield", "%", is_bound).data}
    assert told["a bound (< or >)"] == [5.0] and told["measured"] == [40.0, 60.0]
    assert "a bound (< or >)" not in {one.name for one in progress_figure(y, "maximize", "yield", "%").data}


def test_a_forecast_goes_on_from_the_last_measurement(frames):
    """The band begins at the last experiment with the best so far and ends where the forecast ends."""
    quantiles = {"0.1": (72.5, 72.5, 74.0), "0.5": (72.5, 75.0, 80.0), "0.9": (72.5, 80.0, 90.0)}
    forecast = Forecast(
        n_measured=3,
        n_experiments=2,
        n_draws=10,
        n_candidates=5,
        goal="maximize",
        target=None,
        best=72.5,
        best_after=quantiles,
    )
    svg = best_plot(frames, forecast)
    band, best = corners(svg, "polygon"), corners(svg, "polyline", 1)
    assert band[0].tolist() == band[-1].tolist() == best[-1].tolist()
    assert len(band) == 6 and band[:, 0].max() > best[:, 0].max()


def test_weights_fill_the_plot():
    """Weights sum to one: the first area begins at the bottom, the last one ends at the top."""
    table = pd.DataFrame({"no_transfer": [0.2, 0.1], "history": [0.8, 0.9]}, index=[0, 4])
    svg = weights_plot(table)
    first, last = corners(svg, "polygon", 0), corners(svg, "polygon", 1)
    assert (first[2:, 1] == 260 - BOTTOM).all() and (last[:2, 1] == TOP).all()
    assert first[:2].tolist() == last[:1:-1].tolist()


def test_the_band_of_calibration_is_binomial():
    """With one outcome a calibrated forecaster may lie anywhere between the levels 0.05 and 0.95."""
    from scipy.stats import binom

    from discovery.report.plots import STATED

    for n in (1, 12):
        svg = coverage_plot(np.linspace(0.1, 0.9, n))
        band = corners(svg, "polygon")
        upper, lower = band[: len(STATED), 1], band[len(STATED) :, 1][::-1]
        wanted = [binom.ppf(q, n, STATED) / n for q in (0.95, 0.05)]
        height = (lower.max() - upper.min()) / (wanted[0].max() - wanted[1].min())
        assert (lower - upper) / height == pytest.approx(wanted[0] - wanted[1], abs=0.01)
