"""The pages about a backtest and about a stored campaign."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from discovery.evaluation.calibration import BELIEF, drift, drift_sentence
from discovery.evaluation.results import BacktestResult
from discovery.report import campaign as stored
from discovery.report import figures
from discovery.report.calibration import calibration_grid, coverage_figure
from discovery.report.campaign import CampaignFrames
from discovery.report.compromises import goal_text, progress_sections
from discovery.report.corrections import corrections_grid, doubts_grid
from discovery.report.forecast import forecast_sections, forecast_sentence, forecasts_grid
from discovery.report.grids import found_grid, methods_grid, weights_grid
from discovery.report.headline import best_found, headline, ordered, stops
from discovery.report.page import Page, Section, today, write_page
from discovery.report.style import labeled
from discovery.session.stopping import gain_unit

LEDGER_TEXT = (
    "Weight of each hypothesis when the experiment was chosen: which story of the world predicted best so far."
)


def backtest_html(result: BacktestResult, path: str | Path, campaign: CampaignFrames | None = None) -> Path:
    """Write a backtest as one HTML file.

    Args:
        result: The backtest.
        path: Where to write; folders are made.
        campaign: A stored run of the same campaign, whose proposals and calibration are shown below.

    Returns:
        The file.
    """
    lead = ordered(result)[0]
    sections = [
        Section(
            "Experiments needed",
            "Bars are means over runs, points are runs."
            if any(len(m.runs) > 1 for m in result.methods.values())
            else "",
            figure=figures.needed_figure(result),
            grid=methods_grid(result),
        ),
        Section(
            "Best so far",
            "Thin lines are runs, thick lines their median; the green band is within 5 % of the best candidate.",
            figure=figures.best_so_far_figure(result),
        ),
        Section("Conditions found", best_found(result, lead), grid=found_grid(result, lead)),
    ]
    for name in result.methods:
        figure = figures.backtest_weights_figure(result, name)
        if figure is not None:
            sections.append(Section(f"What {name} held to be true", LEDGER_TEXT, figure, weights_grid(result, name)))
    if campaign is not None:
        sections += _campaign_sections(campaign, "The stored run: ")
    said = " ".join(filter(None, [headline(result), stops(result)]))
    page = Page("Backtest", result.campaign, said, _backtest_facts(result), tuple(sections))
    return write_page(page, path)


def campaign_html(frames: CampaignFrames, path: str | Path) -> Path:
    """Write where a stored campaign stands as one HTML file; return the file."""
    spec = frames.spec
    facts = (
        ("Goal", goal_text(spec)),
        ("Experiments", f"{len(frames.measurements)} of {spec.budget.experiments}"),
        ("Cycles", str(frames.proposals["cycle"].nunique() if len(frames.proposals) else 0)),
        ("Measured", _period(frames.measurements)),
        ("Report made", today()),
    )
    headline = " ".join(filter(None, [stored.campaign_headline(frames), frames.ended]))
    return write_page(Page("Campaign", spec.name, headline, facts, tuple(_campaign_sections(frames, ""))), path)


def _campaign_sections(frames: CampaignFrames, prefix: str) -> list[Section]:
    """Return the parts about a stored campaign that there are data for."""
    sections = []
    if len(frames.measured):
        grid = stored.conditions_grid(frames)
        if frames.spec.is_plain:
            figure = figures.progress_figure(frames.outcomes, frames.goal, frames.outcome, frames.unit, frames.is_bound)
            sections.append(Section(f"{prefix}Progress", "", figure, grid))
        else:
            sections += progress_sections(frames, prefix, grid)
    for about, one in frames.each:
        if len(one.evidence):
            sections.append(_ledger_section(one, f"{prefix}{about}"))
    if frames.doubts:
        sections.append(Section(f"{prefix}Doubtful measurements", "", grid=doubts_grid(frames.doubts)))
    if len(frames.corrections):
        text = "What was measured wrongly is kept and counts no longer."
        sections.append(Section(f"{prefix}Corrections", text, grid=corrections_grid(frames.corrections)))
    for about, one in frames.each:
        sections += _calibration_sections(one, f"{prefix}{about}")
    return sections + _outlook_sections(frames, prefix)


def _ledger_section(frames: CampaignFrames, prefix: str) -> Section:
    """Return which hypotheses explain the measurements of an outcome, and whether experience fits."""
    weights = stored.ledger(frames)
    by_name = {str(name): weights[name].to_numpy() for name in weights.columns}
    figure = figures.weights_figure(by_name, [int(n) for n in weights.index], "measurements seen")
    text = " ".join(filter(None, [LEDGER_TEXT, stored.experience_words(frames)]))
    return Section(f"{prefix}Hypotheses", text, figure, stored.ledger_grid(frames))


def _outlook_sections(frames: CampaignFrames, prefix: str) -> list[Section]:
    """Return what the campaign was expected to bring: its forecasts, and the gain of each batch of proposals."""
    sections, made = [], frames.forecasts
    if made:
        last = forecast_sections(made[-1], frames.spec)[0].figure
        text = forecast_sentence(made[-1], frames.spec)
        sections.append(Section(f"{prefix}Forecast", text, last, forecasts_grid(made)))
    if frames.gains:
        figure = figures.gain_figure(frames.gains, frames.spec.stop.min_gain, *gain_unit(frames.spec))
        text = "How much better the best was expected to become per experiment, when the proposals were made."
        sections.append(Section(f"{prefix}Expected gain", text, figure))
    return sections


def _calibration_sections(frames: CampaignFrames, prefix: str) -> list[Section]:
    """Return what became of the predictions that were stored when the proposals were made."""
    said = frames.stored
    if not said:
        return []
    within = frames.spec.outcome(frames.outcome).range
    predicted, text = stored.predictions(said[BELIEF], within), drift_sentence(drift(said[BELIEF]))
    frozen = "Predictions were stored when the proposals were made; nothing here was known afterwards."
    frozen += f" Cut at the range of {frames.outcome}; scores are of what was stored." if within else ""
    return [
        Section(
            f"{prefix}Predicted and measured",
            frozen,
            figures.predicted_figure(predicted, frames.outcome, frames.unit),
            calibration_grid(said, frames.unit),
        ),
        Section(f"{prefix}Calibration", text, coverage_figure(said)),
        Section(
            f"{prefix}Where outcomes fell in what was predicted",
            "Flat bars mean that stated uncertainty is right; a slope means that outcomes are higher or lower than "
            "predicted, high ends that intervals are too narrow, a hump that they are too wide.",
            figures.pit_figure(predicted["pit"].to_numpy()),
        ),
    ]


def _backtest_facts(result: BacktestResult) -> tuple[tuple[str, str], ...]:
    """Return what a reader of a backtest has to know first."""
    starts = f"{result.n_initial} random, the same for all" if result.n_initial else "none"
    return (
        ("Goal", f"{result.goal} {labeled(result.outcome, result.unit)}"),
        ("Candidates", f"{result.n_candidates} measured"),
        ("Experiments", f"{result.n_experiments} per run, {result.batch_size} at a time"),
        ("Starts", starts),
        ("Report made", today()),
    )


def _period(measurements: pd.DataFrame) -> str:
    """Say when measurements came in."""
    if len(measurements) == 0 or "ingested_at" not in measurements:
        return "-"
    times = pd.to_datetime(measurements["ingested_at"], utc=True)
    days = [f"{day:%Y-%m-%d}" for day in (times.min(), times.max())]
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
