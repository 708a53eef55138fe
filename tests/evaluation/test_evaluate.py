"""Few-shot scores: split, thresholds, JSON, and what happens with too few measurements."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.evaluation.evaluate import SCORES, EvaluateOptions, evaluate, score
from discovery.evaluation.method_table import PREDICTORS
from discovery.evaluation.methods import BacktestContext, Prediction, Progress, Seen

OPTIONS = EvaluateOptions(supports=(1, 8), seeds=(0, 1), n_workers=1)


@dataclass
class SupportMean:
    """Predict the mean of the support everywhere; refuses a query that overlaps the support."""

    name: str = "support_mean"

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn."""

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict the mean of the support."""
        assert len(query) == context.n_candidates - support.n
        assert not set(query) & set(support.indices)
        means = np.full((len(query), 1), np.mean(support.outcomes))
        return Prediction(np.zeros(1), means, np.full_like(means, 20.0))


@pytest.fixture(autouse=True)
def _more_predictors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREDICTORS, "SupportMean", f"{__name__}:SupportMean")


def test_json_has_scores_per_method_and_support(spec: CampaignSpec) -> None:
    """Means stand under `summary` by method and support, every seed under `methods`; no NaN is written."""
    shown = json.loads(json.dumps(evaluate(spec, ["cold_gp", "SupportMean"], OPTIONS).to_json(), allow_nan=False))
    assert set(shown["summary"]) == set(shown["methods"]) == {"cold_gp", "SupportMean"}
    assert set(shown["summary"]["SupportMean"]) == {"1", "8"}
    assert set(shown["summary"]["cold_gp"]["8"]) == set(SCORES)
    assert [(r["seed"], r["support"]) for r in shown["methods"]["cold_gp"]["runs"]] == [(0, 1), (0, 8), (1, 1), (1, 8)]
    assert shown["summary"]["cold_gp"]["1"] == dict.fromkeys(SCORES)  # it cannot predict from one point
    per_seed = [r["nlpd"] for r in shown["methods"]["cold_gp"]["runs"] if r["support"] == 8]
    assert shown["summary"]["cold_gp"]["8"]["nlpd"] == pytest.approx(np.mean(per_seed))


def test_same_seed_same_scores(spec: CampaignSpec) -> None:
    """Scores can be repeated."""
    options = EvaluateOptions(supports=(5,), seeds=(3,), n_workers=1)
    assert evaluate(spec, ["cold_gp"], options).runs == evaluate(spec, ["cold_gp"], options).runs


def test_a_constant_prediction_ranks_like_chance(spec: CampaignSpec) -> None:
    """Equal predictions have no rank correlation and gain nothing over the share of actives."""
    got = evaluate(spec, ["SupportMean"], OPTIONS).summary()["SupportMean"]["8"]
    assert (got["spearman"], got["delta_auprc"]) == (0.0, 0.0)


def test_scores_of_a_perfect_ranking_by_hand() -> None:
    """NLPD is the textbook value, and a perfect ranking gains the share of inactives, for either goal."""
    y = np.array([1.0, 2.0, 3.0, 4.0])
    prediction = Prediction(np.zeros(1), y[:, None] + 1.0, np.ones((4, 1)))
    for sign in (1.0, -1.0):
        got = score(prediction, y, sign, 2.5)
        assert got["nlpd"] == pytest.approx(-stats.norm.logpdf(1.0))
        assert (got["rmse"], got["coverage90"]) == (1.0, 1.0)
        assert got["spearman"] == pytest.approx(1.0)
        assert got["delta_auprc"] == pytest.approx(0.5)


def test_without_actives_there_is_no_gain() -> None:
    """A score that does not exist is None, so that JSON stays valid."""
    prediction = Prediction(np.zeros(1), np.zeros((3, 1)), np.ones((3, 1)))
    assert score(prediction, np.zeros(3), 1.0, 0.0)["delta_auprc"] is None


def test_supports_that_leave_nothing_are_refused(make_spec: Callable[..., CampaignSpec]) -> None:
    """There must be rows to predict."""
    with pytest.raises(ConfigurationError, match="leave rows to predict; got 24 of 24"):
        evaluate(make_spec(), ["SupportMean"], EvaluateOptions(supports=(24,), seeds=(0,)))


@pytest.mark.parametrize("options", [{"supports": ()}, {"supports": (-1,)}, {"seeds": ()}])
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    """Negative supports and no seeds are refused."""
    with pytest.raises(ConfigurationError, match="must be"):
        EvaluateOptions(**options)
