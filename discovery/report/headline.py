"""The first sentences of a report: what was measured, in words, whatever it says."""

from __future__ import annotations

import numpy as np

from discovery.evaluation.results import BacktestResult, regret_counts
from discovery.report.style import count, number


def headline(result: BacktestResult) -> str:
    """Say how many experiments each method needed to come within 5 % of the best.

    The first method is the subject, `belief` where it takes part. The sentence is made from the numbers alone: a
    method that loses reads as one that loses.
    """
    lead, *others = ordered(result)
    sentences = [f"{lead} {_reached(result, lead)}."]
    if others:
        compared = [f"{name} {_needed(result, name)}" for name in others]
        sentences.append(f"{_join(compared)}.")
    ratio = _ratio(result, lead, "cold_gp") if "cold_gp" in others else ""
    return " ".join(sentences + ([ratio] if ratio else []))


def stops(result: BacktestResult) -> str:
    """Say where `stop.min_gain` would have ended the campaign, and at which best; empty where it would not have."""
    sentences = []
    for name in ordered(result):
        ended = [run for run in result.methods[name].runs if run.stop_after is not None]
        if not ended:
            continue
        best = max if result.goal == "maximize" else min
        mean = count(round(float(np.mean([run.stop_after or 0 for run in ended])), 1))
        found = number(float(np.mean([best(run.outcomes[: run.stop_after]) for run in ended])), 3)
        n_runs = len(result.methods[name].runs)
        runs = "" if n_runs == 1 else f" in {len(ended)} of {n_runs} runs (means)"
        unit = f" {result.unit}" if result.unit else ""
        sentences.append(
            f"stop.min_gain would have ended {name} after {mean} experiments at a best {result.outcome} of "
            f"{found}{unit}{runs}; the replay went on."
        )
    return " ".join(sentences)


def ordered(result: BacktestResult) -> list[str]:
    """Return the methods with `belief` first."""
    return sorted(result.methods, key=lambda name: name != "belief")


def best_found(result: BacktestResult, name: str) -> str:
    """Say what the first run of a method found, next to the best of all candidates."""
    run, is_more = result.methods[name].runs[0], result.goal == "maximize"
    best, best_of_all = (max if is_more else min)(run.outcomes), (np.max if is_more else np.min)(result.pool_outcomes)
    unit = f" {result.unit}" if result.unit else ""
    at = run.outcomes.index(best) + 1
    return (
        f"The best {result.outcome} found by {name} is {number(float(best))}{unit}, at experiment {at} of "
        f"{len(run.outcomes)}; the best of all {result.n_candidates} candidates is {number(float(best_of_all))}{unit}."
    )


def _reached(result: BacktestResult, name: str) -> str:
    """Say when a method came within 5 % of the best, as the main clause."""
    counts, n = _counts(result, name)
    if min(counts) > n:
        return f"did not come within 5 % of the best {result.outcome} in {n} experiments"
    mean = count(float(np.mean(counts)))
    noun = "experiment" if mean == "1" else "experiments"
    return f"came within 5 % of the best {result.outcome} after {mean} {noun}{_seeds(counts, n)}"


def _needed(result: BacktestResult, name: str) -> str:
    """Say what another method needed, as a clause of a list."""
    counts, n = _counts(result, name)
    if min(counts) > n:
        return f"did not get there in {n}"
    return f"needed {count(float(np.mean(counts)))}{_seeds(counts, n)}"


def _counts(result: BacktestResult, name: str) -> tuple[list[int], int]:
    """Return the counts of all runs, and how many experiments were run."""
    runs = result.methods[name].runs
    return regret_counts(result, runs), len(runs[0].chosen)


def _seeds(counts: list[int], n: int) -> str:
    """Say over how many runs a mean was taken and how many of them did not get there."""
    missed = sum(c > n for c in counts)
    if len(counts) == 1:
        return ""
    return f" (mean of {len(counts)} runs" + (f", {missed} of which did not" if missed else "") + ")"


def _ratio(result: BacktestResult, name: str, other: str) -> str:
    """Compare two methods in percent, where both got there in every run."""
    (counts, n), (theirs, m) = _counts(result, name), _counts(result, other)
    if max(counts) > n or max(theirs) > m:
        return ""
    return f"{name} needed {100 * np.mean(counts) / np.mean(theirs):.0f} % of the experiments of {other}."


def _join(parts: list[str]) -> str:
    """Join clauses: `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
