"""The plots of a report: best so far, experiments needed, hypothesis weights, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from discovery import metrics
from discovery.evaluation.results import BacktestResult, regret_counts
from discovery.report.grids import mean_weights
from discovery.report.style import color, dash, faded, labeled
from discovery.session.stopping import ExpectedGain

INK, FAINT = "#24292f", "#d8dee4"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
AXIS = {
    "showline": True,
    "linecolor": INK,
    "gridcolor": "#eef1f4",
    "zeroline": False,
    "ticks": "outside",
    "tickcolor": INK,
    "automargin": True,
    "title_standoff": 10,
    "title_font_size": 13,
}
N_BINS = 10  # of the PIT histogram


def layout(figure: go.Figure, height: int = 380) -> go.Figure:
    """Give a figure the look of the report; it is as wide as the page."""
    figure.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 64, "r": 20, "t": 36, "b": 52},
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        hovermode="closest",
    )
    return figure.update_xaxes(**AXIS).update_yaxes(**AXIS)


def best_so_far_figure(result: BacktestResult) -> go.Figure:
    """Plot the best outcome over experiments: every run thin, the median bold, within 5 % of the best shaded."""
    figure = go.Figure()
    best, near = _targets(result)
    figure.add_hrect(y0=best, y1=near, fillcolor="#2da44e", opacity=0.12, line_width=0, layer="below")
    for name, method in reversed(result.methods.items()):  # the first method lies on top
        curves = np.array([metrics.best_so_far(np.asarray(run.outcomes), result.goal) for run in method.runs])
        x = np.arange(1, curves.shape[1] + 1)
        for run, curve in zip(method.runs, curves if len(curves) > 1 else [], strict=False):
            thin = {"color": faded(name, 0.4), "width": 1, "shape": "hv"}
            figure.add_scatter(x=x, y=curve, mode="lines", line=thin, showlegend=False, name=f"{name}, seed {run.seed}")
        bold = {"color": color(name), "width": 3, "dash": dash(name), "shape": "hv"}
        label = name if len(curves) == 1 else f"{name} (median of {len(curves)})"
        figure.add_scatter(x=x, y=np.median(curves, axis=0), mode="lines", line=bold, name=label)
    figure.update_xaxes(title="experiment", range=[0.5, result.n_experiments + 0.5])
    figure.update_yaxes(title=f"best {labeled(result.outcome, result.unit)} so far")
    return layout(figure, 400).update_layout(legend_traceorder="reversed")


def needed_figure(result: BacktestResult) -> go.Figure:
    """Plot the experiments needed to come within 5 % of the best: a bar for the mean, a point per run."""
    figure = go.Figure()
    names = list(result.methods)
    counts = [regret_counts(result, result.methods[name].runs) for name in names]
    means = [float(np.mean(c)) for c in counts]
    figure.add_bar(
        x=means,
        y=names,
        orientation="h",
        width=0.55,
        marker={
            "color": [faded(name, 0.55) for name in names],
            "line": {"color": [color(n) for n in names], "width": 1},
        },
        hovertemplate="%{y}: mean %{x:.1f}<extra></extra>",
    )
    for name, values in zip(names, counts, strict=True):
        dots = {"color": color(name), "size": 8, "line": {"color": "white", "width": 1}}
        shown = values if len(values) > 1 else []
        figure.add_scatter(
            x=shown, y=[name] * len(shown), mode="markers", marker=dots, hovertemplate="%{x}<extra></extra>"
        )
    missed = result.n_experiments + 1
    if any(missed in values for values in counts):
        figure.add_vline(x=missed, line={"color": INK, "width": 1, "dash": "dot"})
        note = {"text": f"not reached (counted as {missed})", "font": {"size": 11}, "showarrow": False}
        figure.add_annotation(note, x=missed, y=1, yref="paper", xanchor="right", yanchor="bottom")
    figure.update_xaxes(title="experiments to within 5 % of the best", rangemode="tozero")
    figure = layout(figure, 110 + 46 * len(names)).update_layout(showlegend=False)
    return figure.update_yaxes(autorange="reversed", ticks="", ticklabelstandoff=6, showgrid=False)


def weights_figure(weights: Mapping[str, Sequence[float] | np.ndarray], x: Sequence[int], x_title: str) -> go.Figure:
    """Plot hypothesis weights over time as a stacked area.

    Args:
        weights: Weights by hypothesis, all as long as `x`.
        x: Experiments or cycles.
        x_title: What `x` counts.
    """
    figure = go.Figure()
    for name, values in weights.items():
        figure.add_scatter(
            x=list(x),
            y=np.asarray(values),
            name=name,
            stackgroup="weights",
            mode="lines" if len(x) > 1 else "markers",
            line={"color": color(name), "width": 1},
            fillcolor=faded(name, 0.6),
            hovertemplate="%{y:.2f}",
        )
    figure.update_xaxes(title=x_title, **_whole(max(x, default=0) - min(x, default=0)))
    figure.update_yaxes(title="weight", range=[0, 1])
    return layout(figure, 320).update_layout(hovermode="x unified")


def backtest_weights_figure(result: BacktestResult, name: str) -> go.Figure | None:
    """Plot the weights of a method's hypotheses, or return None where it has fewer than two."""
    weights = mean_weights(result.methods[name])
    if len(weights) < 2:
        return None
    n = len(next(iter(weights.values())))
    return weights_figure(weights, range(1, n + 1), "experiment")


def predicted_figure(predictions: pd.DataFrame, outcome: str, unit: str) -> go.Figure:
    """Plot what was measured over what had been predicted, with 90 % intervals.

    Args:
        predictions: One row per predicted measurement: `outcome`, `mean`, `lower`, `upper`, `proposal_id`; raw units.
        outcome: Name of the outcome.
        unit: Its unit; may be empty.
    """
    low = float(predictions[["outcome", "mean"]].min().min())
    high = float(predictions[["outcome", "mean"]].max().max())
    pad = 0.06 * (high - low or 1.0)
    figure = go.Figure()
    figure.add_scatter(
        x=[low - pad, high + pad],
        y=[low - pad, high + pad],
        mode="lines",
        line={"color": INK, "width": 1, "dash": "dot"},
        name="as predicted",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=predictions["mean"],
        y=predictions["outcome"],
        mode="markers",
        marker={"color": color("belief"), "size": 8, "line": {"color": "white", "width": 1}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": predictions["upper"] - predictions["mean"],
            "arrayminus": predictions["mean"] - predictions["lower"],
            "color": faded("belief", 0.4),
            "thickness": 1.5,
            "width": 0,
        },
        name="measurement, with the 90 % interval predicted for it",
        text=predictions["proposal_id"],
        hovertemplate="%{text}<br>predicted %{x:.4g}, measured %{y:.4g}<extra></extra>",
    )
    figure.update_xaxes(title=f"predicted {labeled(outcome, unit)}")
    figure.update_yaxes(title=f"measured {labeled(outcome, unit)}", range=[low - pad, high + pad])
    return layout(figure, 420)


def pit_figure(pit: np.ndarray) -> go.Figure:
    """Plot how often outcomes fell into each tenth of what had been predicted; flat when calibrated."""
    counts, edges = np.histogram(pit, bins=N_BINS, range=(0.0, 1.0))
    expected = len(pit) / N_BINS
    figure = go.Figure()
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=1 / N_BINS,
        marker={"color": faded("belief", 0.55), "line": {"color": color("belief"), "width": 1}},
        hovertemplate="%{y} outcomes<extra></extra>",
        showlegend=False,
    )
    figure.add_hline(y=expected, line={"color": INK, "width": 1, "dash": "dot"})
    figure.add_scatter(x=[None], y=[None], mode="lines", line={"color": INK, "dash": "dot"}, name="if calibrated")
    figure.update_xaxes(title="predicted probability of at most what was measured (PIT)", range=[0, 1], dtick=0.2)
    figure.update_yaxes(title="outcomes", rangemode="tozero", dtick=max(1, int(np.ceil(counts.max() / 6))))
    return layout(figure, 300)


def progress_figure(
    outcomes: np.ndarray, goal: metrics.Goal, outcome: str, unit: str, is_bound: np.ndarray | None = None
) -> go.Figure:
    """Plot every measurement of a campaign in order, bounds as rings, and the best so far."""
    x = np.arange(1, len(outcomes) + 1)
    figure = go.Figure()
    dots = {"color": faded("belief", 0.45), "size": 7}
    limit = np.zeros(len(outcomes), dtype=bool) if is_bound is None else is_bound
    figure.add_scatter(x=x[~limit], y=outcomes[~limit], mode="markers", marker=dots, name="measured")
    if limit.any():
        rings = {"color": color("belief"), "size": 8, "symbol": "circle-open"}
        figure.add_scatter(x=x[limit], y=outcomes[limit], mode="markers", marker=rings, name="a bound (< or >)")
    best = metrics.best_so_far(outcomes, goal)
    bold = {"color": color("belief"), "width": 3, "shape": "hv"}
    figure.add_scatter(x=x, y=best, mode="lines", line=bold, name="best so far")
    figure.update_xaxes(title="experiment", range=[0.5, len(outcomes) + 0.5], **_whole(len(outcomes)))
    figure.update_yaxes(title=labeled(outcome, unit))
    return layout(figure, 360)


def gain_figure(gains: Sequence[ExpectedGain], min_gain: float | None, outcome: str, unit: str) -> go.Figure:
    """Plot the expected gain per experiment of each batch of proposals, and what is asked for where the file says."""
    figure = go.Figure()
    line, dots = {"color": color("belief"), "width": 2}, {"color": color("belief"), "size": 7}
    figure.add_scatter(
        x=[gain.n_measurements for gain in gains],
        y=[gain.per_experiment for gain in gains],
        mode="lines+markers",
        line=line,
        marker=dots,
        name="expected gain",
    )
    if min_gain is not None:
        asked = {"color": INK, "width": 1, "dash": "dot"}
        figure.add_hline(y=min_gain, line=asked)
        name = f"asked for: {min_gain:g} {unit}".rstrip()
        figure.add_scatter(x=[None], y=[None], mode="lines", line=asked, name=name)
    seen = [gain.n_measurements for gain in gains]
    figure.update_xaxes(title="measurements seen", **_whole(max(seen) - min(seen)))
    figure.update_yaxes(title=f"gain in {labeled(outcome, unit)} per experiment", rangemode="tozero")
    return layout(figure, 300)


def _whole(span: int) -> dict[str, int]:
    """Return the ticks of an axis that counts: whole numbers, also where there are few."""
    return {"dtick": 1} if span <= 8 else {}


def _targets(result: BacktestResult) -> tuple[float, float]:
    """Return the best outcome of all candidates, and the outcome that is 5 % of the range away from it."""
    low, high = float(result.pool_outcomes.min()), float(result.pool_outcomes.max())
    best, worst = (high, low) if result.goal == "maximize" else (low, high)
    return best, best - 0.05 * (best - worst)
