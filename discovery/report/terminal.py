"""Reports in the terminal: colored tables where there is one, plain ASCII where output goes into a file or a pipe."""

from __future__ import annotations

from dataclasses import replace

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from discovery.evaluation.calibration import BELIEF, drift, drift_sentence
from discovery.evaluation.each_outcome import OutcomeResults
from discovery.evaluation.evaluate import EvaluateResult
from discovery.evaluation.over_history import OverHistory
from discovery.evaluation.results import BacktestResult
from discovery.evaluation.verdict import campaign_verdict
from discovery.report.calibration import calibration_grid
from discovery.report.campaign import (
    CampaignFrames,
    campaign_headline,
    conditions_grid,
    experience_words,
    ledger_grid,
)
from discovery.report.corrections import corrections_grid, doubts_grid
from discovery.report.forecast import forecast_sentence, forecasts_grid
from discovery.report.grids import Grid, found_grid, methods_grid, weights_grid
from discovery.report.headline import best_found, headline, ordered, stops
from discovery.report.helped import campaign_sentence, evaluate_parts, replays_grid
from discovery.report.style import color

PLAIN_WIDTH = 160  # columns where there is no terminal to ask


def console() -> Console:
    """Return a console for results on stdout."""
    probe = Console()
    return probe if probe.is_terminal else Console(width=PLAIN_WIDTH, no_color=True, highlight=False)


def table(grid: Grid, *, is_plain: bool = False) -> Table:
    """Return a grid as a rich table.

    Args:
        grid: The table.
        is_plain: Whether to draw it in ASCII.
    """
    shown = Table(
        title=grid.title,
        title_justify="left",
        title_style="bold",
        caption=grid.note or None,
        caption_justify="left",
        box=box.ASCII if is_plain else box.SIMPLE_HEAD,
    )
    widest = max((len(row[0]) for row in grid.rows), default=0) if grid.keys else None  # names stay in one piece
    for i, name in enumerate(grid.columns):
        justify: JustifyMethod = "left" if i < grid.n_text else "right"
        shown.add_column(name, justify=justify, overflow="fold", min_width=widest if i == 0 else None)
    for i, row in enumerate(grid.rows):
        style = f"bold {color(grid.keys[i])}" if grid.keys and not is_plain else ""
        shown.add_row(Text(row[0], style=style), *map(Text, row[1:]))  # Text: brackets in values are no markup
    return shown


def print_backtest(result: BacktestResult, to: Console | None = None) -> None:
    """Print a backtest: headline, methods, found conditions, hypothesis weights."""
    to = to or console()
    lead = ordered(result)[0]
    _print(
        to,
        " ".join(filter(None, [headline(result), stops(result)])),
        methods_grid(result),
        best_found(result, lead),
        found_grid(result, lead),
    )
    for name in result.methods:
        grid = weights_grid(result, name)
        if grid is not None:
            _print(to, grid)


def print_parts(*parts: str | Grid) -> None:
    """Print sentences and tables as results."""
    _print(console(), *parts)


def print_evaluate(
    result: EvaluateResult | OverHistory[EvaluateResult] | OutcomeResults, to: Console | None = None
) -> None:
    """Print scores of predictions by method and number of measurements, and whether experience would have helped."""
    sentence, grids = evaluate_parts(result)
    _print(to or console(), *filter(None, [sentence]), *grids)


def print_replays(over: OverHistory[BacktestResult], to: Console | None = None) -> None:
    """Print replays of each earlier campaign, and whether experience would have helped."""
    sentence = campaign_sentence(campaign_verdict(list(over.results.values())))
    _print(to or console(), *filter(None, [sentence]), replays_grid(over))


def print_campaign(frames: CampaignFrames, to: Console | None = None) -> None:
    """Print where a stored campaign stands: best conditions, hypotheses, calibration."""
    to = to or console()
    _print(to, " ".join(filter(None, [campaign_headline(frames), frames.ended])))
    if len(frames.measured):
        _print(to, conditions_grid(frames))
    if frames.doubts:
        _print(to, doubts_grid(frames.doubts))
    if len(frames.corrections):
        _print(to, corrections_grid(frames.corrections))
    for about, one in frames.each:
        if len(one.evidence):
            _print(to, named(ledger_grid(one), about), *filter(None, [about_outcome(about, experience_words(one))]))
        if stored := one.stored:
            said = about_outcome(about, drift_sentence(drift(stored[BELIEF])))
            _print(to, named(calibration_grid(stored, one.unit), about), said)
    if frames.forecasts:
        last = frames.forecasts[-1]
        _print(to, forecasts_grid(frames.forecasts), f"The last one: {forecast_sentence(last, frames.spec)}")


def named(grid: Grid, about: str) -> Grid:
    """Return a table with what stands before its title."""
    return replace(grid, title=f"{about}{grid.title}")


def about_outcome(about: str, text: str) -> str:
    """Return sentences with what stands before them; nothing where there are none."""
    return f"{about}{text}" if text else ""


def _print(to: Console, *parts: str | Grid) -> None:
    """Print sentences and tables, with an empty line after each."""
    for part in parts:
        to.print(Text(part) if isinstance(part, str) else table(part, is_plain=not to.is_terminal))
        to.print()
