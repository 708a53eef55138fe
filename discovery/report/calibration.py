"""Calibration in a report: scores of frozen predictions, and stated against observed probability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from scipy.stats import binom

from discovery import metrics
from discovery.evaluation.calibration import BELIEF, LEVELS, StoredPredictions
from discovery.report.figures import INK, layout
from discovery.report.grids import Grid
from discovery.report.style import color, labeled, number

STATED = np.linspace(0.02, 0.98, 49)  # levels of the central intervals that the plot looks at
BAND = 0.9  # of calibrated forecasters would lie within the band


def calibration_grid(stored: Mapping[str, StoredPredictions], unit: str) -> Grid:
    """Return how well the belief, and each hypothesis, had predicted what was then measured."""
    levels = tuple(f"{100 * level:g}" for level in LEVELS)
    scored = {name: predictions.scores() for name, predictions in stored.items()}
    rows = tuple(
        (
            name,
            f"{scores['n']:.0f}",
            f"{scores['nlpd']:.2f}",
            number(scores["crps"], 3),
            number(scores["rmse"], 3),
            *(f"{scores[f'coverage{level}']:.2f}" for level in levels),
        )
        for name, scores in scored.items()
    )
    return Grid(
        title="Predictions made before the measurement, scored after it",
        columns=(
            "",
            "predictions",
            "NLPD",
            labeled("CRPS", unit),
            labeled("RMSE", unit),
            *(f"inside {level} %" for level in levels),
        ),
        rows=rows,
        keys=tuple(scored),
        note="NLPD: mean negative log density of the outcome. CRPS: mean distance between predicted distribution and "
        "outcome. RMSE: of the predicted mean. Of all three less is better. Inside 90 %: share of outcomes in the "
        "central 90 % interval; 0.90 when calibrated.",
    )


def coverage_figure(stored: Mapping[str, StoredPredictions]) -> go.Figure:
    """Plot the share of outcomes inside central intervals over the probability stated for them."""
    figure = go.Figure()
    n = len(stored[BELIEF].outcome)
    tail = (1 - BAND) / 2
    low, high = (binom.ppf(p, n, STATED) / n for p in (tail, 1 - tail))
    band = f"where {100 * BAND:.0f} % of calibrated forecasters lie after {n} predictions"
    figure.add_scatter(x=STATED, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        x=STATED,
        y=low,
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(36,41,47,0.10)",
        name=band,
        hoverinfo="skip",
    )
    line = {"color": INK, "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="as stated", hoverinfo="skip")
    for name, predictions in reversed(list(stored.items())):  # the belief lies on top
        pit = predictions.pit
        observed = [metrics.coverage(pit, float(level)) for level in STATED]
        width = 3 if name == BELIEF else 1.5
        figure.add_scatter(
            x=STATED, y=observed, mode="lines", line={"color": color(name), "width": width, "shape": "hv"}, name=name
        )
    figure.update_xaxes(title="probability stated for the interval", range=[0, 1], dtick=0.2)
    figure.update_yaxes(title="share of outcomes inside", range=[0, 1.02], dtick=0.2)
    return layout(figure, 380)
