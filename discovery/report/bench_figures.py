"""The plots of a bench: speed-ups with intervals, tasks one by one, regret, scores over measurements, calibration."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from discovery.evaluation.bench.benches import BenchResult
from discovery.evaluation.bench.score_statistics import CASE
from discovery.evaluation.bench.statistics import SPEED_UPS, against_no_history, against_reference, with_start
from discovery.report.bench_grids import LABELS, label, overall
from discovery.report.figures import INK, layout
from discovery.report.style import color, dash, faded

MEASURES = tuple(SPEED_UPS)
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)  # of ratios
SYMBOLS = {"none": "circle-open", "matched": "circle"}
RATIOS = {"type": "log", "tickvals": TICKS, "ticktext": [f"{tick:g}" for tick in TICKS]}
COVERAGE_BAND = (0.85, 0.95)
DASHES = {"random": "solid", "search": "dash", "visited": "dot"}


def speed_up_figure(result: BenchResult) -> go.Figure:
    """Plot geometric-mean speed-ups and their intervals: one row per measure, one point per method."""
    table = overall(result.summary["speed_ups"])
    table = table[table["method"] != "random"]
    groups = list(table.groupby(["method", "start", "source"], sort=False))
    figure = go.Figure()
    figure.add_vline(x=1, line={"color": INK, "width": 1, "dash": "dot"})
    for i, ((method, start, source), part) in enumerate(groups):
        offset = (len(groups) - 1) / 2 - i
        y = [len(MEASURES) - MEASURES.index(m) + 0.7 * offset / max(1, len(groups)) for m in part["measure"]]
        ends = {"array": part["high"] - part["speed_up"], "arrayminus": part["speed_up"] - part["low"]}
        shade = _shade(str(method), str(source))
        figure.add_scatter(
            x=part["speed_up"],
            y=y,
            mode="markers",
            marker={"color": shade, "size": 9, "symbol": SYMBOLS[str(start)], "line": {"color": shade, "width": 2}},
            error_x={"type": "data", "symmetric": False, "color": shade, "thickness": 1.5, "width": 0, **ends},
            name=label(str(method), str(start), str(source)),
            hovertemplate="%{x:.2f}",
        )
    figure.update_xaxes(title=f"speed-up over {result.reference}", **RATIOS)
    ticks = {"tickvals": [len(MEASURES) - i for i in range(len(MEASURES))], "ticktext": list(SPEED_UPS.values())}
    figure.update_yaxes(**ticks, ticks="", showgrid=False)
    return layout(figure, 200 + 14 * len(groups) * len(MEASURES))


def tasks_figure(result: BenchResult) -> go.Figure:
    """Plot the ratio of regret areas on every task, by family."""
    tasks = result.summary["tasks"]
    is_harm = result.name == "harm"
    pairs = against_no_history(tasks) if is_harm else against_reference(tasks, _given_reference(result))
    pairs = pairs[pairs["method"] != "random"]
    figure = go.Figure()
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"})
    for (method, start, source), part in pairs.groupby(["method", "start", "source"], sort=False):
        ratio = (part["regret_auc_ref"] + 0.01) / (part["regret_auc"] + 0.01)
        shade = _shade(str(method), str(source))
        figure.add_box(
            x=part["family"],
            y=ratio,
            name=label(str(method), str(start), str(source)),
            boxpoints="all",
            pointpos=0,
            jitter=0.6,
            marker={"color": shade, "size": 6, "symbol": SYMBOLS[str(start)]},
            line={"color": "rgba(0,0,0,0)"},
            fillcolor="rgba(0,0,0,0)",
            hovertext=part["task"],
            hovertemplate="%{hovertext}: %{y:.2f}",
        )
    figure.update_yaxes(title="regret area: reference over method", **RATIOS)
    return layout(figure, 440).update_layout(boxmode="group")


def regret_figure(result: BenchResult, start: str) -> go.Figure:
    """Plot mean regret over experiments by method, all tasks with equal weight."""
    rows = with_start(result.run.rows)
    figure = go.Figure()
    for (method, source), own in rows[rows["start"] == start].groupby(["method", "source"], sort=False):
        longest = max(len(regret) for regret in own["regret"])
        padded = [np.pad(np.asarray(r, float), (0, longest - len(r)), mode="edge") for r in own["regret"]]
        codes = own.groupby(["family", "task"], sort=False).ngroup().to_numpy()
        means = [np.mean([padded[i] for i in np.flatnonzero(codes == code)], axis=0) for code in np.unique(codes)]
        line = {"color": _shade(str(method), str(source)), "width": 2.5, "dash": dash(str(method))}
        name = str(method) if source == "related" else f"{method}, {source}"
        x = np.arange(1, longest + 1)
        figure.add_scatter(x=x, y=np.mean(means, axis=0), mode="lines", line=line, name=name)
    figure.update_xaxes(title="experiments")
    figure.update_yaxes(title="regret, share of the range", rangemode="tozero")
    return layout(figure, 400)


def has_start(result: BenchResult, start: str) -> bool:
    """Say whether anything was run from a start."""
    return bool((with_start(result.run.rows)["start"] == start).any())


def score_figure(result: BenchResult, score: str) -> go.Figure:
    """Plot a score over the number of measurements, by method and by how these were chosen."""
    table = overall(result.summary["scores"])
    figure = go.Figure()
    if score == "coverage90":
        low, high = COVERAGE_BAND
        figure.add_hrect(y0=low, y1=high, fillcolor="#2da44e", opacity=0.12, line_width=0, layer="below")
    for (method, support), part in table.sort_values("n_support", kind="stable").groupby(
        ["method", "support"], sort=False
    ):
        name = str(method) if support == "random" else f"{method}, {support}"
        line = {"color": color(str(method)), "width": 2.5, "dash": DASHES[str(support)]}
        figure.add_scatter(x=part["n_support"], y=part[score], mode="lines+markers", line=line, name=name)
    figure.update_xaxes(title="measurements", tickvals=sorted(table["n_support"].unique()))
    figure.update_yaxes(title=LABELS[score])
    return layout(figure, 340)


def pit_figure(result: BenchResult) -> go.Figure:
    """Plot where outcomes fell in their predicted distributions, by method, over all numbers of measurements."""
    table = result.summary["pit"]
    table = table[table["support"] != "visited"]  # ten outcomes each: too few for a histogram
    figure = go.Figure()
    for (method, support), part in table.groupby(["method", CASE[0]], sort=False):
        shares = np.mean(np.stack(list(part["shares"])), axis=0)
        name = str(method) if support == "random" else f"{method}, {support}"
        line = {"color": color(str(method)), "width": 2, "shape": "hvh", "dash": DASHES[str(support)]}
        x = (np.arange(len(shares)) + 0.5) / len(shares)
        figure.add_scatter(x=x, y=shares * len(shares), mode="lines", line=line, name=name)
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title="predicted probability of at most what was measured (PIT)", range=[0, 1])
    figure.update_yaxes(title="outcomes, 1 if calibrated", rangemode="tozero")
    return layout(figure, 340)


def _given_reference(result: BenchResult) -> str | None:
    """Return the reference where one was asked for."""
    return result.reference if result.reference in result.methods else None


def _shade(method: str, source: str) -> str:
    """Return the color of a method, another one where its history is not the real one."""
    return color(method) if source == "related" else faded(f"{source} history", 1.0)
