"""The headline says what was measured, also where the result is a bad one."""

from __future__ import annotations

from dataclasses import replace

from discovery.evaluation.results import BacktestResult
from discovery.report.headline import best_found, headline, stops


def test_headline_compares_belief_with_the_others(result: BacktestResult) -> None:
    """Counts, runs and runs that did not get there are in the sentence, and the ratio to cold_gp."""
    assert headline(result) == (
        "belief came within 5 % of the best yield after 2 experiments. cold_gp needed 3 (mean of 2 runs) and random "
        "needed 4 (mean of 2 runs, 1 of which did not). belief needed 67 % of the experiments of cold_gp."
    )


def test_headline_admits_a_loss(result: BacktestResult) -> None:
    """A belief that never got there is reported as such, and no ratio is made up."""
    lost = replace(result.methods["belief"], runs=(replace(result.methods["random"].runs[0]),))
    text = headline(replace(result, methods=result.methods | {"belief": lost}))
    assert text.startswith("belief did not come within 5 % of the best yield in 4 experiments. ")
    assert "%" not in text.split(". ", 1)[1]


def test_headline_of_one_method_has_no_comparison(result: BacktestResult) -> None:
    """Alone, a method is described alone."""
    text = headline(replace(result, methods={"cold_gp": result.methods["cold_gp"]}))
    assert text == "cold_gp came within 5 % of the best yield after 3 experiments (mean of 2 runs)."


def test_best_found_stands_next_to_the_best_of_all(result: BacktestResult) -> None:
    """What was found, when, and what could have been found."""
    assert best_found(result, "random") == (
        "The best yield found by random is 4 %, at experiment 4 of 4; the best of all 40 candidates is 39 %."
    )


def test_where_min_gain_would_have_ended_is_said(result: BacktestResult) -> None:
    """A replay that `stop.min_gain` would have ended says after how many experiments, and at which best outcome."""
    belief, random = result.methods["belief"], result.methods["random"]
    ended = replace(belief, runs=(replace(belief.runs[0], stop_after=3),))
    some = replace(random, runs=(random.runs[0], replace(random.runs[1], stop_after=2)))
    assert stops(result) == ""
    assert stops(replace(result, methods={"random": some, "belief": ended})) == (
        "stop.min_gain would have ended belief after 3 experiments at a best yield of 39 %; the replay went on. "
        "stop.min_gain would have ended random after 2 experiments at a best yield of 9 % in 1 of 2 runs (means); "
        "the replay went on."
    )
