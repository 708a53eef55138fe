"""Replays by all that a campaign wants: no method peeks, the measures are right, what cannot be compared is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, NotSupportedError
from discovery.evaluation.aimed_backtest import aimed_backtest, measure_of, open_aimed, replay_aimed
from discovery.evaluation.aimed_methods import load_aimed
from discovery.evaluation.backtest import BacktestOptions
from discovery.evaluation.results import Plan
from discovery.report.aimed_backtest import aimed_html, aimed_parts

OPTIONS = BacktestOptions(n_experiments=5, n_initial=3, seeds=(0,), n_workers=1, device="cpu")
TWO = {"objectives": [{"name": "y"}, {"name": "z", "goal": "minimize"}]}


@pytest.fixture
def make_spec(tmp_path: Path):
    """A function that makes a campaign over twenty rows of two settings, with changes."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"a": rng.uniform(size=20).round(3), "b": rng.uniform(size=20).round(3)})
    table.assign(y=10 * table["a"], z=5 * table["b"] + table["a"]).to_csv(tmp_path / "rows.csv", index=False)
    unit = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("a", "b")]
    scales = [{"name": "y", "range": [0, 10]}, {"name": "z", "range": [0, 6]}]
    base = {"name": "small", "parameters": unit, "outcomes": scales, "candidates": "rows.csv"}

    def make(**changes: object) -> CampaignSpec:
        return CampaignSpec.from_mapping({**base, **changes}, tmp_path)

    return make


@pytest.mark.parametrize(
    ("changes", "methods", "measure"),
    [
        (TWO, ("belief", "cold_nehvi", "random"), "hypervolume"),
        ({**TWO, "combine": "desirability"}, ("belief", "cold_gp", "random"), "regret"),
        ({"objectives": [{"name": "y", "goal": "hits", "threshold": 7}]}, ("belief", "cold_gp"), "hits"),
        ({"objectives": [{"name": "y", "goal": "match", "target": 4}]}, ("no_transfer", "cold_gp"), "regret"),
        ({"objectives": [{"name": "y"}], "outcome_constraints": ["z <= 3"]}, ("belief", "random"), "regret"),
    ],
    ids=["pareto", "desirability", "hits", "match", "constraints"],
)
def test_every_goal_is_replayed(make_spec, tmp_path, changes, methods, measure):
    """Each goal has runs of the asked length, distinct rows, its own measure, a table and a page."""
    result = aimed_backtest(make_spec(**changes), methods, OPTIONS)
    assert measure_of(result.spec) == result.measure == measure
    assert [list(map(len, (run.chosen, run.progress))) for run in result.runs[methods[0]]] == [[5, 5]]
    assert all(len(set(run.chosen)) == 5 for runs in result.runs.values() for run in runs)
    assert {name for values in result.summary().values() for name in values} & {f"{measure}_auc"}
    sentence, grid = aimed_parts(result)
    assert result.spec.name in sentence and len(grid.rows) == len(methods)
    assert aimed_html(result, tmp_path / "page.html").stat().st_size > 1000


def test_progress_is_the_share_of_what_there_is(make_spec):
    """After all candidates are run, the whole hypervolume is reached, and all hits are found; nothing falls."""
    everything = replace(OPTIONS, n_experiments=20, n_initial=0, seeds=(0,))
    for changes, whole in ((TWO, 1.0), ({"objectives": [{"name": "y", "goal": "hits", "threshold": 7}]}, None)):
        result = aimed_backtest(make_spec(**changes), ["random"], everything)
        progress = np.array(result.runs["random"][0].progress)
        assert (np.diff(progress) >= 0).all()
        assert progress[-1] == pytest.approx(result.reachable if whole is None else whole)


@pytest.mark.slow
def test_baybe_knows_a_front(make_spec):
    """BayBE chooses new rows on a front, the same at the same seed, and better is more whatever the goal."""
    longer = replace(OPTIONS, n_experiments=8)
    runs = [aimed_backtest(make_spec(**TWO), ["baybe"], longer).runs["baybe"][0] for _ in range(2)]
    assert len(set(runs[0].chosen)) == 8 and runs[0].chosen == runs[1].chosen
    assert runs[0].progress[-1] > runs[0].progress[2]


@pytest.mark.parametrize("name", ["belief", "cold_nehvi", pytest.param("baybe", marks=pytest.mark.slow)])
def test_no_method_peeks(make_spec, name):
    """With other outcomes of the rows that were not chosen first, the next choice stays."""
    context, outcomes = open_aimed(make_spec(**TWO), OPTIONS, None)
    method = load_aimed(name)
    method.prepare(context)
    first = replay_aimed(method, context, outcomes, Plan(0, 5, (1, 4, 7)))
    rows = [int(np.flatnonzero(context.pool.rows == row)[0]) for row in first.chosen[:4]]
    rng = np.random.default_rng(0)
    others = {key: np.where(np.isin(np.arange(20), rows), y, rng.permutation(y)) for key, y in outcomes.items()}
    assert replay_aimed(method, context, others, Plan(0, 5, (1, 4, 7))).chosen == first.chosen


def test_what_cannot_be_compared_is_refused(make_spec):
    """A method for a front needs one, and a method for one score needs a score."""
    with pytest.raises(NotSupportedError, match="cold_nehvi must have several objectives"):
        aimed_backtest(make_spec(**TWO, combine="desirability"), ["cold_nehvi"], OPTIONS)
    with pytest.raises(NotSupportedError, match="baybe must have several objectives"):
        aimed_backtest(make_spec(objectives=[{"name": "y"}], outcome_constraints=["z <= 3"]), ["baybe"], OPTIONS)
    with pytest.raises(NotSupportedError, match="cold_gp must have one score"):
        aimed_backtest(make_spec(**TWO), ["cold_gp"], OPTIONS)
    with pytest.raises(ConfigurationError, match="ax compares one outcome"):
        aimed_backtest(make_spec(**TWO), ["ax"], OPTIONS)
