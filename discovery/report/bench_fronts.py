"""The tables and the plot of a bench on fronts: shares of the hypervolume by method, and task by task."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from discovery.evaluation.bench.benches import BenchResult
from discovery.evaluation.bench.front_statistics import MEASURES, SHARES
from discovery.evaluation.bench.statistics import with_start
from discovery.report.figures import layout
from discovery.report.grids import Grid
from discovery.report.page import Section
from discovery.report.style import color, dash

STARTS = {"none": "no start", "matched": "same start"}
DASH = {"none": "dot"}  # of runs without a random start


def front_grids(result: BenchResult) -> list[Grid]:
    """Return the tables, the most telling first; none that would be empty."""
    return [grid for grid in (fronts_grid(result), gains_grid(result), tasks_grid(result)) if grid.rows]


def fronts_grid(result: BenchResult) -> Grid:
    """Return what methods came to, over all tasks."""
    table = result.summary["fronts"]
    table = table[table["family"] == table["family"].iloc[-1]]  # of all families, or of the only one
    rows = [
        (
            _label(row["method"], row["start"]),
            f"{row['n_tasks']} ({row['n_runs']})",
            *(_with_interval(row[m], row[f"{m}_low"], row[f"{m}_high"], 3 if m in SHARES else 1) for m in MEASURES),
        )
        for row in table.to_dict("records")
    ]
    return Grid(
        title="Share of the hypervolume",
        columns=("method", "tasks (runs)", *MEASURES.values()),
        rows=tuple(rows),
        keys=tuple(table["method"]),
        note="Of what all candidates hold, counted from the worst of each outcome: mean over experiments, random "
        "starts included, and at the end. Means over seeds, then tasks; 90 % intervals from drawing tasks and their "
        "seeds anew. Experiments to a share: not reached counts as the budget plus one.",
    )


def gains_grid(result: BenchResult) -> Grid:
    """Return how much more than the reference methods came to."""
    cases: dict[tuple[str, str, str], list[str]] = {}
    for row in result.summary["gains"].to_dict("records"):
        cell = f"{row['gain']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        case = (_label(row["method"], row["start"]), row["family"], row["method"])
        cases.setdefault(case, []).extend([cell, f"{row['n_ahead']} of {row['n_tasks']}"])
    heads = [head for measure in SHARES for head in (MEASURES[measure], "ahead on")]
    return Grid(
        title=f"More of the hypervolume than {result.reference}",
        columns=("method", "family", *heads),
        rows=tuple((label, family, *cells) for (label, family, _), cells in cases.items()),
        keys=tuple(method for _, _, method in cases),
        n_text=2,
        note="Differences of shares on the same task from the same random start; 90 % intervals from drawing tasks and "
        "their seeds anew. Ahead on: tasks, by their mean over seeds.",
    )


def tasks_grid(result: BenchResult) -> Grid:
    """Return the shares task by task: mean over experiments, and at the end."""
    table = result.summary["tasks"]
    cases = {(row["method"], row["start"]): None for row in table.to_dict("records")}
    shown = table.set_index(["family", "task", "method", "start"])
    rows = []
    for family, task in table[["family", "task"]].drop_duplicates().itertuples(index=False):
        cells = []
        for case in cases:
            at = (family, task, *case)
            is_run = at in shown.index
            cells.append(" / ".join(f"{shown.loc[at, m].item():.3f}" for m in SHARES) if is_run else "-")
        rows.append((family, task, *cells))
    return Grid(
        title="Task by task: mean over experiments / at the end",
        columns=("family", "task", *(_label(*case) for case in cases)),
        rows=tuple(rows),
        n_text=2,
    )


def front_sections(result: BenchResult) -> list[Section]:
    """Return the parts of the page."""
    first, *others = front_grids(result)
    curve = Section("Over experiments", "Mean over tasks of the mean over seeds.", share_figure(result), first)
    return [curve, *(Section(grid.title, grid=grid) for grid in others)]


def share_figure(result: BenchResult) -> go.Figure:
    """Plot the share of the hypervolume over experiments by method, all tasks with equal weight."""
    figure = go.Figure()
    for (method, start), own in with_start(result.run.rows).groupby(["method", "start"], sort=False):
        longest = max(len(share) for share in own["share"])
        padded = [np.pad(np.asarray(share, float), (0, longest - len(share)), mode="edge") for share in own["share"]]
        codes = own.groupby(["family", "task"], sort=False).ngroup().to_numpy()
        means = [np.mean([padded[i] for i in np.flatnonzero(codes == code)], axis=0) for code in np.unique(codes)]
        line = {"color": color(str(method)), "width": 2.5, "dash": DASH.get(str(start), dash(str(method)))}
        name = _label(str(method), str(start))
        figure.add_scatter(x=np.arange(1, longest + 1), y=np.mean(means, axis=0), mode="lines", line=line, name=name)
    figure.update_xaxes(title="experiments")
    figure.update_yaxes(title="share of the hypervolume", rangemode="tozero")
    return layout(figure, 400)


def front_words(result: BenchResult) -> str:
    """Say what the first method came to, and what the reference."""
    table = result.summary["fronts"]
    own = table[(table["family"] == table["family"].iloc[-1]) & (table["start"] == table["start"].iloc[-1])]
    said = ", ".join(f"{row['method']} {row['hypervolume_auc']:.3f}" for row in own.to_dict("records"))
    return f"Share of the hypervolume so far, mean over experiments ({STARTS[own['start'].iloc[0]]}): {said}."


def _label(method: str, start: str) -> str:
    return f"{method} ({STARTS[start]})"


def _with_interval(mean: float, low: float, high: float, digits: int) -> str:
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
