"""A backtest of several objectives, targets, hits or limits: one table, one plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from discovery.evaluation.aimed_backtest import AimedResult
from discovery.report.compromises import goal_text
from discovery.report.figures import layout
from discovery.report.grids import Grid
from discovery.report.page import Page, Section, today, write_page
from discovery.report.style import color, dash, faded

TITLES = {"hypervolume": "share of the hypervolume", "hits": "hits so far", "regret": "regret of the best allowed"}
NOTES = {
    "hypervolume_auc": "hypervolume so far, mean over experiments",
    "hypervolume": "hypervolume at the end",
    "n_hits": "hits at the end",
    "n_possible": "hits possible",
    "hits_auc": "share of all hits so far, mean over experiments",
    "regret_auc": "regret so far, mean over experiments",
    "regret": "regret at the end",
}


def aimed_sentence(result: AimedResult) -> str:
    """Say which method came furthest, and how far."""
    summary = result.summary()
    first = next(iter(next(iter(summary.values()))))
    is_low = result.measure == "regret"
    best = (min if is_low else max)(summary, key=lambda name: summary[name][first])
    n = max(len(run.chosen) for runs in result.runs.values() for run in runs)
    return (
        f"{result.spec.name} ({goal_text(result.spec)}): {best} came furthest over {n} experiments, "
        f"{NOTES[first]} {summary[best][first]:.3g}."
    )


def aimed_grid(result: AimedResult) -> Grid:
    """Return what every method came to."""
    summary = result.summary()
    names = list(next(iter(summary.values())))
    rows = tuple(
        (method, str(len(result.runs[method])), *(f"{values[name]:.3g}" for name in names))
        for method, values in summary.items()
    )
    return Grid(
        title="What methods came to",
        columns=("method", "runs", *(NOTES[name] for name in names)),
        rows=rows,
        keys=tuple(summary),
        note="Hypervolumes are shares of what all candidates hold, counted from the worst of them (or the references)."
        if result.measure == "hypervolume"
        else "",
    )


def aimed_parts(result: AimedResult) -> tuple[str | Grid, ...]:
    """Return what the terminal shows."""
    return aimed_sentence(result), aimed_grid(result)


def aimed_figure(result: AimedResult) -> go.Figure:
    """Plot what runs had come to over experiments: every run thin, the mean bold."""
    figure = go.Figure()
    for name, runs in reversed(result.runs.items()):  # the first method lies on top
        curves = np.array([run.progress for run in runs])
        x = np.arange(1, curves.shape[1] + 1)
        for curve in curves if len(curves) > 1 else []:
            thin = {"color": faded(name, 0.35), "width": 1, "shape": "hv"}
            figure.add_scatter(x=x, y=curve, mode="lines", line=thin, showlegend=False, hoverinfo="skip")
        bold = {"color": color(name), "width": 3, "dash": dash(name), "shape": "hv"}
        label = name if len(curves) == 1 else f"{name} (mean of {len(curves)})"
        figure.add_scatter(x=x, y=curves.mean(0), mode="lines", line=bold, name=label)
    figure.update_xaxes(title="experiment")
    figure.update_yaxes(title=TITLES[result.measure], rangemode="tozero")
    return layout(figure, 400)


def aimed_html(result: AimedResult, path: str | Path) -> Path:
    """Write the backtest as one HTML file; return it."""
    facts = (
        ("Goal", goal_text(result.spec)),
        ("Candidates", f"{result.n_candidates} measured"),
        ("Starts", f"{result.n_initial} random, the same for all" if result.n_initial else "none"),
        ("Report made", today()),
    )
    sections = (Section("Over experiments", "", aimed_figure(result), aimed_grid(result)),)
    return write_page(Page("Backtest", result.spec.name, aimed_sentence(result), facts, sections), path)
