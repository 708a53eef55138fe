"""Reports in the terminal: complete, and plain ASCII where output goes into a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from discovery.evaluation.results import BacktestResult
from discovery.report.campaign import CampaignFrames
from discovery.report.grids import Grid, methods_grid
from discovery.report.terminal import print_backtest, print_campaign, table


def pipe() -> Console:
    """Return a console that is no terminal."""
    return Console(file=io.StringIO(), width=160, no_color=True, highlight=False)


def text(to: Console) -> str:
    """Return what was printed."""
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_backtest_in_a_pipe_is_plain_ascii_and_complete(result: BacktestResult) -> None:
    """Headline, methods, conditions and weights, without colors, box drawing or cut cells."""
    to = pipe()
    print_backtest(result, to)
    shown = text(to)
    assert shown.isascii()
    assert "\x1b" not in shown
    for part in ("belief came within 5 %", "Experiments needed, by method", "L0 [x]", "Hypothesis weights of belief"):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 160


def test_campaign_in_a_pipe_is_plain_ascii_and_complete(frames: CampaignFrames) -> None:
    """Best conditions, hypotheses with evidence, calibration."""
    to = pipe()
    print_campaign(frames, to)
    assert text(to).isascii()
    for part in ("highest yield so far is 72.5 %", "Best conditions found", "log evidence", "NLPD"):
        assert part in text(to)


def test_names_stay_in_one_piece_where_columns_are_many() -> None:
    """A narrow page breaks headings, not the names of hypotheses."""
    name, to = "simulator:reaction_kinetics", Console(file=io.StringIO(), width=100, no_color=True)
    columns = ("hypothesis", *(f"share inside {k} %" for k in range(50, 56)))
    to.print(table(Grid("Scores", columns, ((name, *["1.00"] * 6),), keys=(name,)), is_plain=True))
    assert name in text(to)


@pytest.mark.parametrize("is_plain", [True, False])
def test_a_table_has_a_row_per_method(is_plain: bool, result: BacktestResult) -> None:
    """The table can be printed by others as well."""
    assert table(methods_grid(result), is_plain=is_plain).row_count == 3


def test_a_terminal_has_colors(result: BacktestResult) -> None:
    """Where there is a terminal, methods have their color."""
    to = Console(file=io.StringIO(), width=160, force_terminal=True, color_system="truecolor")
    print_backtest(result, to)
    assert "\x1b[1;38;2;0;114;178m" in text(to)  # belief in its blue
