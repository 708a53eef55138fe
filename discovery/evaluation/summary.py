"""The six numbers that sum up a method's runs: medians of counts to the top, means of counts to a regret."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from discovery import metrics
from discovery.metrics import Goal


def summarize(runs: Sequence[Sequence[float]], pool_outcomes: np.ndarray, goal: Goal) -> dict[str, float]:
    """Sum up the runs of one method.

    Counts to tops are medians over seeds, counts to regrets and `regret_auc` are means; a count that was not reached
    is the number of experiments run plus one.

    Args:
        runs: Outcomes in the order run, raw units, one sequence per seed.
        pool_outcomes: Outcomes of all candidates, raw units.
        goal: Whether more or less is better.

    Returns:
        `experiments_to_best`, `experiments_to_top1pct`, `experiments_to_top5pct`, `experiments_to_5pct_regret`,
        `experiments_to_10pct_regret` and `regret_auc`.
    """
    orders = [np.asarray(run, dtype=float) for run in runs]

    def to_top(percent: float) -> float:
        return _plain(np.median([metrics.experiments_to_top(y, pool_outcomes, percent, goal) for y in orders]))

    def to_regret(level: float) -> float:
        return _plain(np.mean([metrics.experiments_to_regret(y, pool_outcomes, level, goal) for y in orders]))

    return {
        "experiments_to_best": to_top(0),
        "experiments_to_top1pct": to_top(1),
        "experiments_to_top5pct": to_top(5),
        "experiments_to_5pct_regret": to_regret(0.05),
        "experiments_to_10pct_regret": to_regret(0.10),
        "regret_auc": float(np.mean([metrics.regret_auc(y, pool_outcomes, goal) for y in orders])),
    }


def _plain(value: np.floating) -> float:
    """Return a whole number as an int, so that it is written without a decimal point."""
    number = float(value)
    return int(number) if number.is_integer() else number
