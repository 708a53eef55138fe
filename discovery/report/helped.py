"""Would it have helped? Sentences, tables and pages about few-shot scores and about replays of earlier campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from discovery.evaluation.each_outcome import OutcomeResults
from discovery.evaluation.evaluate import EvaluateResult
from discovery.evaluation.over_history import OverHistory
from discovery.evaluation.results import BacktestResult, regret_counts
from discovery.evaluation.verdict import (
    HELPS,
    HURTS,
    OPEN,
    CampaignVerdict,
    FewShotVerdict,
    campaign_verdict,
    few_shot_verdict,
)
from discovery.report.figures import layout
from discovery.report.grids import Grid, evaluate_grid
from discovery.report.page import Page, Section, today, write_page
from discovery.report.style import color, count, dash, faded, labeled, number

WORDS = {HELPS: "It would have helped.", HURTS: "It would have hurt.", OPEN: "That is no clear difference."}
OTHER = {"no_transfer": "without it", "cold_gp": "with a cold Gaussian process"}


def few_shot_sentence(found: FewShotVerdict | None) -> str:
    """Say what experience is worth for predictions; empty where that was not looked at."""
    if found is None:
        return ""
    other = OTHER[found.without]
    worth = f"better than {found.most}"
    if found.equivalent is not None:
        worth = f"as well as {count(round(found.equivalent))}"
    n = f" over {found.n_campaigns} campaigns" if found.n_campaigns > 1 else ""
    return (
        f"With your experience, {found.support} measurements predict {worth} {other}; predictions with it were better "
        f"in {100 * found.share:.0f} % of the runs{n}. {WORDS[found.verdict]}"
    )


def campaign_sentence(found: CampaignVerdict | None) -> str:
    """Say how many experiments experience saves; empty where that was not looked at."""
    if found is None:
        return ""
    n = found.n_campaigns
    over = f" (geometric means over {n} campaigns; fewer in {found.n_better}, more in {found.n_worse})" if n > 1 else ""
    return (
        f"With your experience a campaign comes within 5 % of the best after {found.needed:.1f} experiments, "
        f"{OTHER[found.without]} after {found.needed_without:.1f}{over}. {WORDS[found.verdict]}"
    )


def evaluate_parts(result: EvaluateResult | OverHistory[EvaluateResult] | OutcomeResults) -> tuple[str, list[Grid]]:
    """Return the sentence and the tables about few-shot scores: of a campaign, its outcomes, or each earlier one."""
    if isinstance(result, OutcomeResults):
        said = {name: few_shot_sentence(few_shot_verdict([one])) for name, one in result.results.items()}
        sentence = " ".join(f"{name}: {text}" for name, text in said.items() if text)
        return sentence, [evaluate_grid(one) for one in result.results.values()]
    if isinstance(result, EvaluateResult):
        return few_shot_sentence(few_shot_verdict([result])), [evaluate_grid(result)]
    return few_shot_sentence(few_shot_verdict(list(result.results.values()))), [few_shot_grid(result)]


def few_shot_grid(over: OverHistory[EvaluateResult]) -> Grid:
    """Return RMSE by earlier campaign, method and number of measurements."""
    results = over.results
    supports = sorted({s for result in results.values() for s in result.supports})
    one, short, rows = next(iter(results.values())), _short(results), []
    for source, result in results.items():
        for name, by_support in result.summary().items():
            scores = [by_support.get(str(s), {}).get("rmse") for s in supports]
            cells = ["-" if score is None else number(score, 3) for score in scores]
            rows.append((short[source], name, str(result.n_candidates), *cells))
    return Grid(
        title=f"Predicting each earlier campaign from a few of its measurements: {labeled('RMSE', one.unit)}",
        columns=("earlier campaign", "method", "configurations", *(f"after {s}" for s in supports)),
        rows=tuple(rows),
        note=f"Means over {len(one.seeds)} random supports; the query is all other rows. {_left_out(over)}".strip(),
        n_text=2,
    )


def replays_grid(over: OverHistory[BacktestResult]) -> Grid:
    """Return experiments needed by earlier campaign and method."""
    methods, short = list(next(iter(over.results.values())).methods), _short(over.results)
    rows = tuple(
        (short[source], str(result.n_candidates), *(_needed(result, name) for name in methods))
        for source, result in over.results.items()
    )
    return Grid(
        title="Experiments to within 5 % of the best, each earlier campaign in turn as the new one",
        columns=("earlier campaign", "configurations", *methods),
        rows=rows,
        note="Means over runs; the others are the history. * or > N: not reached by some or all runs within N "
        f"experiments, counted as N + 1. {_left_out(over)}".strip(),
    )


def error_figure(results: Sequence[EvaluateResult]) -> go.Figure:
    """Plot the error of predictions over the number of measurements, by method: mean, and 80 % of the runs."""
    figure, unit = go.Figure(), results[0].unit
    is_one = len(results) == 1
    for name in reversed(list(results[0].runs)):
        x, values = _errors(results, name, is_relative=not is_one)
        if not x:
            continue
        low, high = (np.array([np.quantile(v, q) for v in values]) for q in (0.1, 0.9))
        figure.add_scatter(x=x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
        figure.add_scatter(
            x=x,
            y=low,
            mode="lines",
            line={"width": 0},
            fill="tonexty",
            fillcolor=faded(name, 0.12),
            showlegend=False,
            hoverinfo="skip",
        )
        line = {"color": color(name), "width": 3, "dash": dash(name)}
        figure.add_scatter(x=x, y=[v.mean() for v in values], mode="lines+markers", line=line, name=name)
    figure.update_xaxes(title="measurements", rangemode="tozero")
    title = labeled("RMSE of predictions", unit) if is_one else "RMSE, relative to the campaign's mean"
    figure.update_yaxes(title=title, rangemode="tozero")
    return layout(figure, 400).update_layout(legend_traceorder="reversed")


def replays_figure(over: OverHistory[BacktestResult]) -> go.Figure:
    """Plot the experiments needed by earlier campaign: a point per method."""
    figure = go.Figure()
    short = _short(over.results)
    sources = list(short.values())
    ends = {short[s]: [np.mean(regret_counts(r, m.runs)) for m in r.methods.values()] for s, r in over.results.items()}
    for source, values in ends.items():
        line = {"color": "#d8dee4", "width": 2}
        figure.add_scatter(x=[min(values), max(values)], y=[source] * 2, mode="lines", line=line, showlegend=False)
    methods = list(next(iter(over.results.values())).methods)
    for i, name in reversed(list(enumerate(methods))):  # the first lies on top; what is equal looks out from under it
        size = 9 + 12 * i / max(len(methods) - 1, 1)
        dots = {"color": color(name), "size": size, "opacity": 1.0, "line": {"color": "white", "width": 1}}
        figure.add_scatter(x=[ends[s][i] for s in sources], y=sources, mode="markers", marker=dots, name=name)
    figure.update_xaxes(title="experiments to within 5 % of the best", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", ticks="", ticklabelstandoff=6, showgrid=False)
    return layout(figure, 140 + 30 * len(sources)).update_layout(legend_traceorder="reversed")


def evaluate_html(result: EvaluateResult | OverHistory[EvaluateResult] | OutcomeResults, path: str | Path) -> Path:
    """Write few-shot scores as one HTML file; return the file."""
    sentence, grids = evaluate_parts(result)
    results = [result] if isinstance(result, EvaluateResult) else list(result.results.values())
    text = "Lines are means, bands hold 80 % of the runs. Lower is better."
    if isinstance(result, OutcomeResults):
        parts = zip(result.results.items(), grids, strict=True)
        own = tuple(Section(f"Error of predictions: {n}", text, error_figure([one]), grid) for (n, one), grid in parts)
        return write_page(Page("Would it have helped?", result.campaign, sentence, _facts(results), own), path)
    sections = (Section("Error of predictions", text, error_figure(results), grids[0]),)
    page = Page("Would it have helped?", result.campaign, sentence, _facts(results), sections)
    return write_page(page, path)


def replays_html(over: OverHistory[BacktestResult], path: str | Path) -> Path:
    """Write replays of earlier campaigns as one HTML file; return the file."""
    results = list(over.results.values())
    text = "Each earlier campaign in turn is the new one, with the others as its history."
    sections = (Section("Experiments needed", text, replays_figure(over), replays_grid(over)),)
    sentence = campaign_sentence(campaign_verdict(results))
    page = Page("Would it have helped?", over.campaign, sentence, _facts(results), sections)
    return write_page(page, path)


def _facts(results: Sequence[EvaluateResult | BacktestResult]) -> tuple[tuple[str, str], ...]:
    one = results[0]
    sizes = sorted(result.n_candidates for result in results)
    n = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    return (
        ("Goal", f"{one.goal} {labeled(one.outcome, one.unit)}"),
        ("Campaigns", str(len(results))),
        ("Configurations", n),
        ("Report made", today()),
    )


def _errors(results: Sequence[EvaluateResult], name: str, *, is_relative: bool) -> tuple[list[int], list[np.ndarray]]:
    """Return supports, and RMSE of all runs at each; relative to the mean of each campaign where they are several."""
    common = sorted(set.intersection(*(set(result.supports) for result in results)))
    values: Mapping[int, list[np.ndarray]] = {s: [] for s in common}
    for result in results:
        every = np.array([[run[s]["rmse"] for s in common] for runs in result.runs.values() for run in runs], float)
        scale = float(np.nanmean(every)) if is_relative else 1.0
        for s in common:
            values[s].append(np.array([run[s]["rmse"] for run in result.runs[name]], float) / scale)
    joined = {s: np.concatenate(parts) for s, parts in values.items()}
    known = {s: v[np.isfinite(v)] for s, v in joined.items() if np.isfinite(v).any()}
    return list(known), list(known.values())


def _short(sources: Iterable[str]) -> dict[str, str]:
    """Name sources by their files alone, where that tells them apart."""
    names = {source: Path(source).stem for source in sources}
    return names if len(set(names.values())) == len(names) else {source: source for source in names}


def _needed(result: BacktestResult, name: str) -> str:
    """Write the mean count; a star where a run did not get there."""
    runs = result.methods[name].runs
    counts, n = regret_counts(result, runs), len(runs[0].chosen)
    if min(counts) > n:
        return f"> {n}"
    return count(round(float(np.mean(counts)), 1)) + ("*" if max(counts) > n else "")


def _left_out(over: OverHistory[EvaluateResult] | OverHistory[BacktestResult]) -> str:
    """Say which sources and rows could not be used."""
    parts = [f"{source} is left out ({why})." for source, why in over.skipped.items()]
    parts += [f"{n} rows of {source} could not be used." for source, n in over.n_left_out.items()]
    return " ".join(parts)
