"""A forecast for people: how many experiments it is likely to take, as a sentence, a table and plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from discovery.campaign import CampaignSpec
from discovery.evaluation.forecast import Forecast
from discovery.report.compromises import goal_text
from discovery.report.figures import INK, layout
from discovery.report.foretold import Counted, target_text, what_is_counted
from discovery.report.grids import Grid
from discovery.report.page import Page, Section, today, write_page
from discovery.report.style import color, faded

SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200)  # numbers of experiments that a table shows
WIDTH = 30  # characters of a bar
LIMITS = (
    "A forecast is as good as the belief that its worlds are drawn from: what no hypothesis knows is in none of them. "
    "Trust it as far as earlier predictions have been right."
)


def forecast_sentence(found: Forecast, spec: CampaignSpec) -> str:
    """Say in a sentence or two what a forecast says."""
    counts, n, more = what_is_counted(found, spec), found.n_experiments, "further " if found.n_measured else ""
    if found.target is None:
        low, middle, high = (counts.amount(found.best_after[level][-1]) for level in ("0.1", "0.5", "0.9"))
        now = "" if found.best is None else f", now {counts.amount(found.best)},"
        return f"After {n} {more}experiments {counts.noun}{now} is expected to be {middle} (80 %: {low} to {high})."
    wanted = target_text(found, spec)
    if found.needed_at(0.9) == 0:
        is_best = found.measure == "best"
        is_now = f"{spec.objective.name} {counts.amount(found.best)}" if is_best else counts.amount(found.best)
        return f"The target is reached: {is_now}, wanted {counts.amount(found.target) if is_best else wanted}."
    chance = f"the probability that {n} {more}experiments reach it is {_percent(found.probability[-1])}"
    first, typical, last = (found.needed_at(level) for level in (0.1, 0.5, 0.9))
    if typical is None:
        share = _percent(1 - found.attainable)
        missed = f"Reaching {wanted} is less likely than missing it: {chance}."
        why = "no candidate reaches it" if found.measure == "best" else "the candidates do not hold it"
        return f"{missed} In {share} of the worlds {why}."
    most = f"{last}" if last is not None else f"more than {n}"
    noun = "experiment" if typical == 1 else "experiments"
    return f"Reaching {wanted} is likely to take {typical} {more}{noun} (80 %: {first} to {most}); {chance}."


def forecast_grid(found: Forecast, spec: CampaignSpec, *, is_drawn: bool = True) -> Grid:
    """Return what to expect after how many experiments; `is_drawn` adds a bar per row, for the terminal."""
    counts = what_is_counted(found, spec)
    rows = [k for k in SHOWN if k < found.n_experiments] + [found.n_experiments]
    offset = 0 if found.best is None else 1  # quantiles begin before the first further experiment where one is measured
    every = [found.best_after[level][k - 1 + offset] for level in ("0.1", "0.9") for k in rows]
    ends = [value for value in every if not math.isnan(value)] or [0.0]
    cells = []
    for k in rows:
        best = [found.best_after[level][k - 1 + offset] for level in ("0.1", "0.5", "0.9")]
        reached = () if found.target is None else (_percent(found.probability[k - 1]),)
        share = None if found.target is None else found.probability[k - 1]
        bar = _bar(share) if share is not None else _range(best, min(ends), max(ends))
        drawn = (bar.ljust(WIDTH),) if is_drawn else ()
        cells.append((str(k), *map(counts.cell, best), *reached, *drawn))
    is_best = found.measure == "best"
    wanted = "" if found.target is None else counts.amount(found.target) if is_best else target_text(found, spec)
    target = () if found.target is None else (f"{wanted} reached",)
    worlds = f"{found.n_draws} worlds of {found.n_candidates} candidates"
    return Grid(
        title="Forecast"
        + (f" after {found.n_measured} measurements" if found.n_measured else " before any measurement"),
        columns=(
            "experiments from now",
            f"{counts.label}: 10 %",
            "median",
            "90 %",
            *target,
            *([""] if is_drawn else []),
        ),
        rows=tuple(cells),
        note=f"Quantiles over {worlds}, drawn from the belief; {found.seconds:.1f} s. {LIMITS}",
        n_text=0,
    )


def best_figure(found: Forecast, spec: CampaignSpec) -> go.Figure:
    """Plot the best outcome to expect over further experiments: the median and two bands."""
    counts = what_is_counted(found, spec)
    first = 1 if found.best is None else 0
    x = [found.n_measured + k for k in range(first, found.n_experiments + 1)]
    figure = go.Figure()
    for low, high, alpha in (("0.1", "0.9", 0.18), ("0.25", "0.75", 0.35)):
        figure.add_scatter(x=x, y=found.best_after[high], mode="lines", line={"width": 0}, showlegend=False)
        share = f"{100 * (float(high) - float(low)):.0f} % of the worlds"
        figure.add_scatter(
            x=x,
            y=found.best_after[low],
            mode="lines",
            line={"width": 0},
            fill="tonexty",
            fillcolor=faded("belief", alpha),
            name=share,
        )
    bold = {"color": color("belief"), "width": 3}
    figure.add_scatter(x=x, y=found.best_after["0.5"], mode="lines", line=bold, name="median")
    if found.target is not None:
        line = {"color": INK, "width": 1, "dash": "dot"}
        figure.add_hline(y=found.target, line=line)
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=f"target {counts.amount(found.target)}")
    figure.update_xaxes(title="experiment", range=[x[0] - 0.5, x[-1] + 0.5])
    figure.update_yaxes(title=counts.label, tickformat=".0%" if counts.is_share else "")
    return layout(figure, 400)


def reached_figure(found: Forecast) -> go.Figure:
    """Plot the probability that the target is reached, over further experiments."""
    x = [found.n_measured + k for k in range(1, found.n_experiments + 1)]
    figure = go.Figure()
    line = {"color": color("belief"), "width": 3, "shape": "hv"}
    figure.add_scatter(x=x, y=found.probability, mode="lines", line=line, showlegend=False, hovertemplate="%{y:.0%}")
    ceiling = {"color": INK, "width": 1, "dash": "dot"}
    figure.add_hline(y=found.attainable, line=ceiling)
    without = "worlds in which a candidate reaches it without the help of noise"
    figure.add_scatter(x=[None], y=[None], mode="lines", line=ceiling, name=without)
    figure.update_xaxes(title="experiment", range=[x[0] - 0.5, x[-1] + 0.5])
    figure.update_yaxes(title="probability that the target is reached", range=[0, 1.02], tickformat=".0%")
    return layout(figure, 340)


def forecast_sections(found: Forecast, spec: CampaignSpec) -> list[Section]:
    """Return the parts of a page about a forecast."""
    grid = forecast_grid(found, spec, is_drawn=False)
    title = "Best outcome to expect" if found.measure == "best" else "What to expect"
    sections = [Section(title, "", best_figure(found, spec), grid)]
    if found.target is not None and found.probability:
        sections.insert(0, Section("When the target may be reached", "", reached_figure(found)))
    return sections


def forecast_html(found: Forecast, spec: CampaignSpec, path: str | Path) -> Path:
    """Write a forecast as one HTML file; return the file."""
    counts, is_best = what_is_counted(found, spec), found.measure == "best"
    wanted = "-" if found.target is None else counts.amount(found.target) if is_best else target_text(found, spec)
    facts = (
        ("Goal", goal_text(spec)),
        ("Target", wanted),
        ("Measured", f"{found.n_measured} of {spec.budget.experiments}"),
        ("Simulated", f"{found.n_experiments} experiments in {found.n_draws} worlds"),
        ("Report made", today()),
    )
    page = Page("Forecast", spec.name, forecast_sentence(found, spec), facts, tuple(forecast_sections(found, spec)))
    return write_page(page, path)


def forecasts_grid(found: Sequence[Forecast]) -> Grid:
    """Return how forecasts have changed as measurements came in."""
    rows, is_best = [], all(one.measure == "best" for one in found)
    for one in found:
        ends = [one.needed_at(level) for level in (0.1, 0.5, 0.9)]
        totals = ["-" if one.target is None else _total(one, end) for end in ends]
        chance = _percent(one.probability[-1]) if one.probability else "-"
        rows.append((str(one.n_measured), *totals, chance, _cell(one, one.best_after["0.5"][-1])))
    return Grid(
        title="Forecasts over time",
        columns=(
            "measured",
            "experiments in all: 10 %",
            "median",
            "90 %",
            "target reached",
            "best at the end (median)" if is_best else "at the end (median)",
        ),
        rows=tuple(rows),
        note="Each row is a forecast as it was made. At the end: the median over worlds.",
        n_text=0,
    )


def _total(found: Forecast, needed: int | None) -> str:
    return f"> {found.n_measured + found.n_experiments}" if needed is None else str(found.n_measured + needed)


def _cell(found: Forecast, value: float) -> str:
    return Counted("", "", is_share=found.measure == "share").cell(value)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _bar(share: float) -> str:
    return "#" * round(WIDTH * share)


def _range(quantiles: Sequence[float], low: float, high: float) -> str:
    """Draw an interval with its median: `--|---`, in its place between two ends."""
    if any(map(math.isnan, quantiles)):
        return ""
    span = (high - low) or 1.0
    first, middle, last = (round((WIDTH - 1) * (value - low) / span) for value in quantiles)
    return "".join("|" if i == middle else "-" if first <= i <= last else " " for i in range(WIDTH)).rstrip()
