"""Tables with bounds: replays reveal them as such and count what is known, predictions are scored fairly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from discovery.campaign import CampaignSpec, Objective
from discovery.evaluation.backtest import BacktestOptions, backtest
from discovery.evaluation.bounds import Rows, actives, counted, ranking
from discovery.evaluation.evaluate import EvaluateOptions, evaluate, score_rows
from discovery.evaluation.method_table import METHODS
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen
from discovery.evaluation.over_history import history_campaigns
from discovery.space import MeasuredPool, SearchSpace

FAST = BacktestOptions(n_experiments=24, seeds=(0,), n_workers=1, use_cache=False)
Make = Callable[..., CampaignSpec]


@dataclass
class Witness:
    """Choose candidates in order and keep what is revealed."""

    name: str = "witness"
    is_deterministic: bool = True
    seen: list[Seen] = field(default_factory=list)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidate."""
        told.append(seen)
        return Choice(tuple(range(seen.n, seen.n + n)))


told: list[Seen] = []


@pytest.fixture
def censored(make_spec: Make) -> CampaignSpec:
    """A campaign of which what lies below 20 or above 60 was not measured."""
    spec = make_spec(experience={})
    frame = pd.read_csv(spec.resolve("candidates.csv")).drop_duplicates(["ligand", "base", "temperature"])
    cells = frame["yield"].map(lambda y: "<20" if y < 20 else ">60" if y > 60 else f"{y}")
    assert (cells == "<20").sum() > 2 and (cells == ">60").sum() > 1
    frame.assign(**{"yield": cells}).to_csv(spec.resolve("candidates.csv"), index=False)
    return spec


def test_a_bound_counts_by_what_is_known():
    """At least 100 counts as 100, and at most 5 as the worst there is, where more is better."""
    y, sides = np.array([5.0, 100.0, 30.0, 2.0]), np.array([-1, 1, 0, 0])
    assert counted(y, sides, 1.0).tolist() == [2.0, 100.0, 30.0, 2.0]
    assert counted(y, np.zeros(4), 1.0).tolist() == y.tolist()


def test_at_least_is_worth_nothing_where_less_is_better():
    """At least 40 may be anything above, so it counts as the highest of the table."""
    assert counted(np.array([40.0, 70.0, 10.0]), np.array([1, 0, -1]), -1.0).tolist() == [70.0, 70.0, 10.0]


def test_bounds_are_revealed_as_bounds(censored: CampaignSpec, monkeypatch: pytest.MonkeyPatch):
    """A method is told number and side; the run says which rows are bounds, and the best is what is known."""
    monkeypatch.setitem(METHODS, "Witness", f"{__name__}:Witness")
    told.clear()
    result = backtest(censored, ["Witness"], FAST)
    last, (run,) = told[-1], result.methods["Witness"].runs
    assert set(last.limits) == {-1, 0, 1} and last.limits == run.limits[:-1]
    assert {y for y, side in zip(last.outcomes, last.limits, strict=True) if side == -1} == {20.0}
    assert max(run.outcomes) == 60.0 == result.pool_outcomes.max() and run.to_json()["limits"] == list(run.limits)
    worst = min(y for y, side in zip(run.outcomes, run.limits, strict=True) if side == 0)
    assert {y for y, side in zip(run.outcomes, run.limits, strict=True) if side == -1} == {min(worst, 20.0)}


def test_a_belief_learns_from_bounds_and_baselines_run(censored: CampaignSpec):
    """Replays of the belief and of a method that knows no bounds come to the top; a bound changes what is chosen."""
    options = replace(FAST, n_experiments=10)
    runs = backtest(censored, ["no_transfer", "cold_gp"], options).methods
    assert max(runs["no_transfer"].runs[0].outcomes) == 60.0
    assert runs["cold_gp"].runs[0].limits
    path = censored.resolve("candidates.csv")
    path.write_text(path.read_text().replace("<", "").replace(">", ""))
    values = backtest(censored, ["no_transfer"], options).methods["no_transfer"].runs[0]
    assert not values.limits and values.chosen != runs["no_transfer"].runs[0].chosen


def test_scores_of_bounds_by_hand():
    """A bound is scored by the log probability of its side, errors are of measured values alone."""
    y, sides = np.array([1.0, 2.0, 0.5]), np.array([-1, 1, 0])
    prediction = Prediction(np.zeros(1), np.array([[0.0], [1.0], [2.5]]), np.ones((3, 1)))
    rows = Rows(y, sides)
    said = [norm.logcdf(1.0), norm.logsf(1.0), norm.logpdf(-2.0)]
    found = score_rows(prediction, rows, rows, Objective(name="y"))
    assert found["nlpd"] == pytest.approx(-np.mean(said))
    assert (found["rmse"], found["coverage90"]) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("objective", "active", "known"),
    [
        ({}, [False, True, False, True], [True, True, True, False]),
        ({"goal": "minimize"}, [True, False, True, False], [True, True, True, False]),
        ({"goal": "hits", "threshold": 4}, [False, True, False, True], [True, True, True, False]),
        ({"goal": "hits", "threshold": 4, "above": False}, [True, False, True, False], [True, True, True, False]),
        ({"goal": "match", "window": [2.5, 3.5]}, [False, False, True, False], [False, False, True, False]),
        ({"goal": "match", "target": 3}, [False, False, True, False], [False, False, True, False]),
    ],
    ids=["maximize", "minimize", "hits above", "hits below", "window", "target"],
)
def test_what_is_active_is_known_or_left_out(objective, active, known):
    """At most 1, at least 9, 3 measured, at most 6: active by the goal, where the bound leaves no doubt."""
    rows = Rows(np.array([1.0, 9.0, 3.0, 6.0]), np.array([-1, 1, 0, -1]))
    found, is_known = actives(Objective(name="y", **objective), rows, rows)
    assert found[is_known].tolist() == [a for a, k in zip(active, is_known, strict=True) if k]
    assert is_known.tolist() == known


def test_hits_are_ranked_by_their_probability():
    """Of two equal means the wider one is likelier above a far threshold; a match is ranked by nearness."""
    prediction = Prediction(np.zeros(1), np.array([[0.0], [0.0]]), np.array([[1.0], [3.0]]))
    above = ranking(Objective(name="y", goal="hits", threshold=2), prediction)
    assert above == pytest.approx([norm.sf(2), norm.sf(2 / 3)])
    assert ranking(Objective(name="y", goal="match", target=1), prediction).tolist() == [-1.0, -1.0]


def test_predictions_of_a_censored_table_are_scored(censored: CampaignSpec):
    """Scores exist at every support, and the number of bounds is said."""
    found = evaluate(censored, ["no_transfer"], EvaluateOptions(supports=(4,), seeds=(0, 1), n_workers=1))
    assert found.n_bounds > 4 and found.to_json()["n_bounds"] == found.n_bounds
    assert all(np.isfinite(value) for value in found.summary()["no_transfer"]["4"].values())


def test_earlier_campaigns_keep_their_bounds(make_spec: Make, censored: CampaignSpec):
    """An earlier table with bounds, replayed as the new campaign, still holds bounds."""
    table = pd.read_csv(censored.resolve("candidates.csv"))
    for name in ("one.csv", "two.csv"):
        table.to_csv(censored.resolve(name), index=False)
    first, _ = history_campaigns(make_spec(experience={"history": ["one.csv", "two.csv"]}, candidates=None))
    pool = MeasuredPool.from_spec(first.spec, SearchSpace.from_spec(first.spec))
    assert set(pool.sides["yield"]) == {-1, 0, 1}
