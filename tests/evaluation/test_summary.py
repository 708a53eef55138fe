"""The six numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from discovery.evaluation.summary import summarize

POOL = np.arange(101.0)  # the top 1 % is {100}, the top 5 % is {96 .. 100}


def test_tops_are_medians_and_regrets_are_means() -> None:
    """Three runs of three experiments, worked out by hand; what was not reached counts as four."""
    runs = [[0, 96, 100], [95, 0, 0], [0, 0, 91]]
    got = summarize(runs, POOL, "maximize")
    assert got == {
        "experiments_to_best": 4,  # 3, 4, 4
        "experiments_to_top1pct": 4,
        "experiments_to_top5pct": 4,  # 2, 4, 4
        "experiments_to_5pct_regret": pytest.approx((2 + 1 + 4) / 3),
        "experiments_to_10pct_regret": pytest.approx((2 + 1 + 3) / 3),
        "regret_auc": pytest.approx((0.0 + 0.05 + 0.09) / 3),
    }


def test_whole_counts_are_written_without_a_decimal_point() -> None:
    """A median of whole numbers that is whole stays an int; an even number of runs may give a half."""
    got = summarize([[100.0], [100.0]], POOL, "maximize")
    assert isinstance(got["experiments_to_best"], int)
    assert summarize([[100.0, 0.0], [0.0, 100.0]], POOL, "maximize")["experiments_to_best"] == 1.5
