"""The tables of a backtest: numbers as the metrics define them, stars where something was not reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from discovery.evaluation.evaluate import SCORES, EvaluateResult
from discovery.evaluation.results import BacktestResult, MethodResult
from discovery.report.figures import backtest_weights_figure
from discovery.report.grids import evaluate_grid, found_grid, mean_weights, methods_grid, weights_grid


def test_methods_grid_shows_the_summary(result: BacktestResult) -> None:
    """Counts are means or medians over runs; what some runs missed has a star, what all missed is above the budget."""
    grid = methods_grid(result)
    assert grid.keys == ("cold_gp", "belief", "random")
    cells = {row[0]: row[1:4] for row in grid.rows}
    assert cells == {"cold_gp": ("2", "3", "3"), "belief": ("1", "2", "2"), "random": ("2", "4*", "4*")}
    assert "mean of that regret over experiments 4 to 4." in grid.note
    assert "counted as 5" in grid.note
    assert "belief is deterministic" in grid.note
    without = replace(result, methods={"belief": result.methods["belief"]})
    assert "counted as" not in methods_grid(without).note


def test_columns_that_nobody_has_a_number_for_are_left_out(result: BacktestResult) -> None:
    """Times at 40 measurements stand there once a run came so far, and not as a column of dashes."""
    assert "at 40 points" not in methods_grid(result).columns
    belief = result.methods["belief"]
    timed = replace(belief, runs=tuple(replace(run, adapt_propose_s_at_40=0.2) for run in belief.runs))
    late = replace(result, methods=result.methods | {"belief": timed})
    grid = methods_grid(late)
    assert [row[grid.columns.index("at 40 points")] for row in grid.rows] == ["-", "200 ms", "-"]
    assert {len(row) for row in grid.rows} == {len(grid.columns)}


def test_a_method_that_never_got_there_is_shown_as_above_the_budget(result: BacktestResult) -> None:
    """No number is invented for a count that was not reached by any run."""
    runs = result.methods["random"].runs[:1]
    lost = replace(result, methods={"random": replace(result.methods["random"], runs=runs)})
    assert methods_grid(lost).rows[0][2:4] == ("> 4", "> 4")


@pytest.mark.parametrize(("goal", "first"), [("maximize", ("39", "1 of 40", "2")), ("minimize", ("3", "4 of 40", "3"))])
def test_found_grid_ranks_by_the_goal(goal: str, first: tuple[str, ...], result: BacktestResult) -> None:
    """The best found stands first, with its values, its rank among all candidates and when it was found."""
    grid = found_grid(replace(result, goal=goal), "belief", n=2)
    assert grid.columns == ("", "ligand", "temperature (degC)", "yield (%)", "rank of all", "found at experiment")
    assert (len(grid.rows), grid.rows[0][3:]) == (2, first)


def test_weights_grid_shows_weights_over_time(result: BacktestResult) -> None:
    """One row per hypothesis from the first to the last experiment; methods without hypotheses have none."""
    grid = weights_grid(result, "belief")
    assert grid is not None
    assert grid.columns[1:] == ("exp. 1", "exp. 2", "exp. 3", "exp. 4")
    assert grid.rows[0] == ("no_transfer", "0.20", "0.30", "0.40", "0.50")
    assert weights_grid(result, "random") is None


def test_a_single_hypothesis_has_no_weights_to_show(result: BacktestResult) -> None:
    """A method with one hypothesis holds all the weight all the time: no table, no plot."""
    run = replace(result.methods["belief"].runs[0], weights={"no_transfer": (1.0,) * 4})
    alone = replace(result, methods={"no_transfer": MethodResult((run,))})
    assert weights_grid(alone, "no_transfer") is None
    assert backtest_weights_figure(alone, "no_transfer") is None


def test_weights_are_means_over_runs(result: BacktestResult) -> None:
    """Where a method was run at several seeds its weights are averaged."""
    (first,) = result.methods["belief"].runs
    second = replace(first, weights={"no_transfer": (0.4,) * 4, "history": (0.6,) * 4})
    weights = mean_weights(replace(result.methods["belief"], runs=(first, second)))
    assert list(weights["no_transfer"]) == pytest.approx([0.3, 0.35, 0.4, 0.45])


def test_evaluate_grid_shows_means_and_dashes() -> None:
    """Scores are means over seeds; a dash stands where a method cannot predict from so few measurements."""
    runs = [{1: dict.fromkeys(SCORES), 5: dict.fromkeys(SCORES, value)} for value in (0.1, 0.3)]
    result = EvaluateResult("lab", "yield", "maximize", 40, (1, 5), (0, 1), {"cold_gp": runs}, {"cold_gp": 0.0}, "%")
    grid = evaluate_grid(result)
    assert grid.columns[3] == "RMSE (%)"
    assert grid.rows == (("cold_gp", "1", *["-"] * 5), ("cold_gp", "5", *["0.200"] * 5))
