"""Verdicts are made from the numbers alone: what helps, what hurts, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discovery.evaluation.evaluate import SCORES, EvaluateResult
from discovery.evaluation.results import BacktestResult, MethodResult, Run
from discovery.evaluation.verdict import HELPS, HURTS, OPEN, campaign_verdict, few_shot_verdict

SUPPORTS = (5, 10, 20, 40)


def scores(errors: dict[str, list[list[float | None]]], supports: tuple[int, ...] = SUPPORTS) -> EvaluateResult:
    """Return an evaluation with these errors: by method, one list over supports per seed."""
    runs = {
        name: [{s: dict.fromkeys(SCORES) | {"rmse": e} for s, e in zip(supports, row, strict=True)} for row in rows]
        for name, rows in errors.items()
    }
    n = len(next(iter(errors.values())))
    return EvaluateResult("lab", "yield", "maximize", 60, supports, tuple(range(n)), runs, dict.fromkeys(runs, 0.0))


def replay(counts: dict[str, int], n: int = 12) -> BacktestResult:
    """Return a replay in which each method finds the best candidate at some experiment."""
    pool = np.arange(40.0)
    methods = {}
    for name, found in counts.items():
        outcomes = [0.0] * (found - 1) + [39.0] + [0.0] * n
        methods[name] = MethodResult((Run(0, tuple(range(n)), tuple(outcomes[:n])),))
    return BacktestResult("lab", "yield", "maximize", 0, 1, methods, pd.DataFrame({"x": pool}), np.arange(40), pool)


def test_equivalent_measurements_lie_where_the_curves_meet():
    """Ten measurements with experience are worth the number at which the curve without it is as low."""
    without = [[16.0, 8.0, 4.0, 2.0]] * 4
    halfway = float(np.sqrt(4.0 * 2.0))
    found = few_shot_verdict([scores({"belief": [[9.0, halfway, 2.5, 1.5]] * 4, "no_transfer": without})])
    assert (found.verdict, found.support, found.without, found.share) == (HELPS, 10, "no_transfer", 1.0)
    assert found.equivalent == pytest.approx(np.sqrt(21 * 41) - 1)  # halfway between 20 and 40, on a logarithmic axis
    at_ten = [[15.0, 8.0, 4.0, 2.0]] * 4
    same = few_shot_verdict([scores({"belief": at_ten, "no_transfer": without})])
    assert same.equivalent == pytest.approx(10.0) and same.verdict == OPEN


def test_what_is_beyond_all_supports_has_no_number():
    """Predictions better than from the most measurements without experience are just that."""
    found = few_shot_verdict([scores({"belief": [[1.0] * 4], "no_transfer": [[16.0, 8.0, 4.0, 2.0]]})])
    assert (found.equivalent, found.most, found.verdict) == (None, 40, HELPS)


@pytest.mark.parametrize(("error", "verdict"), [(1.0, HELPS), (1.9, OPEN), (2.1, OPEN), (3.0, HURTS)])
def test_one_number_of_measurements_is_judged_by_errors(error, verdict):
    """Where nothing says how many more measurements are needed, errors that differ by a hair are no difference."""
    found = few_shot_verdict([scores({"belief": [[error]], "no_transfer": [[2.0]]}, (16,))])
    assert found.verdict == verdict


def test_a_campaign_without_experience_gets_no_verdict():
    """Belief and the model without experience are the same then: there is nothing to compare."""
    alike = [[16.0, 8.0, 4.0, 2.0]] * 2
    assert few_shot_verdict([scores({"belief": alike, "no_transfer": alike})]) is None


def test_experience_that_hurts_is_said_to_hurt():
    """Worse predictions in most runs are a harm; runs that disagree leave it open."""
    without = [[16.0, 8.0, 4.0, 2.0]] * 3
    worse = few_shot_verdict([scores({"belief": [[20.0, 16.0, 8.0, 4.0]] * 3, "no_transfer": without})])
    assert worse.verdict == HURTS and worse.equivalent == 5.0 and worse.share == 0.0
    mixed = [[16.0, 4.0, 4.0, 2.0], [16.0, 9.0, 4.0, 2.0], [16.0, 9.0, 4.0, 2.0]]
    assert few_shot_verdict([scores({"belief": mixed, "no_transfer": without})]).verdict == OPEN


def test_campaigns_of_other_scales_and_sizes_count_alike():
    """Errors are relative to their campaign, and supports that not all campaigns have are left out."""
    small = scores({"belief": [[2.0, 1.0]], "no_transfer": [[4.0, 2.0]]}, (5, 10))
    large = scores({"belief": [[200.0, 100.0, 50.0, 25.0]], "no_transfer": [[400.0, 200.0, 100.0, 50.0]]})
    found = few_shot_verdict([small, large])
    assert (found.support, found.equivalent, found.most, found.n_campaigns) == (10, None, 10, 2)
    assert found.share == 1.0


def test_supports_without_a_score_are_left_out():
    """A method that cannot predict from so few does not spoil the verdict."""
    found = few_shot_verdict([scores({"belief": [[5.0, 4.0, 3.0, 2.0]], "cold_gp": [[None, 8.0, 4.0, 2.0]]})])
    assert (found.without, found.support) == ("cold_gp", 10)
    assert found.equivalent == pytest.approx(20.0)


def test_without_both_there_is_no_verdict():
    """Belief and something to compare it with must have been run."""
    assert few_shot_verdict([scores({"belief": [[1.0] * 4]})]) is None
    assert few_shot_verdict([scores({"cold_gp": [[1.0] * 4], "no_transfer": [[1.0] * 4]})]) is None
    assert campaign_verdict([replay({"belief": 3, "random": 9})]) is None
    assert campaign_verdict([]) is None


@pytest.mark.parametrize(
    ("pairs", "verdict", "ratio"),
    [
        ([(2, 8), (3, 12), (2, 2)], HELPS, (8 * 12 * 2 / 12) ** (1 / 3)),
        ([(8, 2), (12, 3), (2, 2)], HURTS, (12 / (8 * 12 * 2)) ** (1 / 3)),
        ([(4, 4), (5, 5)], OPEN, 1.0),
        ([(2, 9), (9, 2), (3, 3)], OPEN, 1.0),
    ],
    ids=["helps", "hurts", "same", "mixed"],
)
def test_replays_are_judged_by_geometric_means_and_by_campaigns(pairs, verdict, ratio):
    """Both the mean saving and two campaigns out of three must say so."""
    found = campaign_verdict([replay({"belief": a, "no_transfer": b, "cold_gp": 12}) for a, b in pairs])
    assert found.verdict == verdict and found.without == "no_transfer"
    assert found.ratio == pytest.approx(ratio)
    assert found.n_better + found.n_worse <= found.n_campaigns == len(pairs)


def test_what_is_not_reached_counts_as_one_more():
    """A method that does not get there needs the experiments that were run, and one."""
    found = campaign_verdict([replay({"belief": 4, "cold_gp": 99})])
    assert (found.without, found.needed, found.needed_without) == ("cold_gp", pytest.approx(4.0), pytest.approx(13.0))
