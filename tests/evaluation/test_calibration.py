"""Frozen predictions are scored as they were stored, and drift is found without crying wolf."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from discovery.evaluation.calibration import ALARM, drift, drift_of, drift_sentence, read_predictions

COLUMNS = ("measurement_id", "position", "proposal_id", "hypothesis", "weight", "outcome", "n_measurements")


def rows(outcomes: list[float], positions: list[int] | None = None) -> pd.DataFrame:
    """Return stored predictions of two hypotheses, one a mixture of two, for some outcomes."""
    said = {
        "no_transfer": (0.25, [0.0], [50.0], [10.0]),
        "history": (0.75, [np.log(0.5)] * 2, [55.0, 65.0], [8.0, 8.0]),
    }
    table = []
    for i, y in enumerate(outcomes):
        place = positions[i] if positions else i + 1
        for name, (weight, *lists) in said.items():
            table.append([f"m{place}", place, f"p{place}", name, weight, y, place - 1, *map(json.dumps, lists)])
    return pd.DataFrame(table, columns=[*COLUMNS, "log_weights", "means", "sds"])


def test_the_belief_is_the_mixture_that_was_stored():
    """Means and PIT values are those of all hypotheses mixed by their weights then, padded where shapes differ."""
    found = read_predictions(rows([31.0, 72.5]))
    assert list(found) == ["belief", "no_transfer", "history"]
    parts = [(0.25, 50.0, 10.0), (0.375, 55.0, 8.0), (0.375, 65.0, 8.0)]
    assert found["belief"].mean == pytest.approx([sum(w * m for w, m, _ in parts)] * 2)
    expected = [sum(w * norm.cdf(y, m, s) for w, m, s in parts) for y in (31.0, 72.5)]
    assert found["belief"].pit == pytest.approx(expected)
    assert found["no_transfer"].pit == pytest.approx(norm.cdf([31.0, 72.5], 50, 10))
    assert found["no_transfer"].scores()["nlpd"] == pytest.approx(-norm.logpdf([31.0, 72.5], 50, 10).mean())


def test_order_is_that_of_measurement_and_lists_need_no_text():
    """Rows come in any order, and lists may be lists; measurements without an outcome are left out."""
    table = rows([72.5, 31.0, float("nan")], positions=[2, 1, 3])
    table["means"] = table["means"].map(json.loads)
    found = read_predictions(table)["belief"]
    assert found.outcome.tolist() == [31.0, 72.5]
    assert found.position.tolist() == [1, 2]
    assert found.proposal_ids == ("p1", "p2")


def test_nothing_measured_is_nothing_to_score():
    """Without a measured prediction there are no scores and no drift."""
    assert read_predictions(rows([])) == {}
    assert drift_of(np.zeros(0)).e_value == 1.0
    assert "tested by a measurement yet" in drift_sentence(drift_of(np.zeros(0)))


def test_a_calibrated_forecaster_is_seldom_accused():
    """With uniform PIT values the alarm is raised at any time in at most one campaign out of twenty, or so."""
    g = np.random.default_rng(0)
    raised = [max(drift_of(u[:k]).e_value for k in range(5, 41, 5)) >= ALARM for u in g.random((200, 40))]
    assert np.mean(raised) <= 0.08


@pytest.mark.parametrize(
    ("kind", "z", "words"),
    [
        ("higher", (1.2, 1.0), "higher than predicted"),
        ("lower", (-1.2, 1.0), "lower than predicted"),
        ("wider", (0.0, 2.5), "outside their intervals"),
        ("narrower", (0.0, 0.3), "nearer to the predictions than stated"),
    ],
)
def test_each_kind_of_drift_is_named(kind, z, words):
    """Outcomes that are off in one way raise the alarm, and the words say in which way and what to do."""
    found = drift_of(norm.cdf(np.random.default_rng(1).normal(*z, 30)))
    assert found.is_alarm and found.kind == kind
    assert words in drift_sentence(found) and drift_sentence(found).count(". ") == 1


def test_the_time_of_onset_is_found():
    """What begins to drift late is dated late, in positions of the campaign."""
    g = np.random.default_rng(2)
    pit = norm.cdf(np.r_[g.normal(0, 1, 30), g.normal(2.5, 0.5, 12)])
    found = drift_of(pit, position=np.arange(101, 143))
    assert found.is_alarm and found.kind == "higher"
    assert 126 <= found.since <= 135


def test_one_outlier_is_no_drift():
    """A single outcome that was thought impossible, such as a failed experiment, does not raise the alarm alone."""
    assert not drift_of(np.r_[np.linspace(0.1, 0.9, 10), 0.0]).is_alarm


def test_a_batch_counts_once():
    """Predictions made from the same measurements err together: ten at once accuse no more than one does."""
    pit = np.full(10, 0.99)
    assert drift_of(pit, n_seen=np.zeros(10)).e_value == pytest.approx(drift_of(pit[:1]).e_value)
    assert drift_of(pit).e_value > ALARM


def test_drift_of_stored_predictions_knows_their_batches():
    """The batches are those that were stored, and the sentence names the share inside the intervals."""
    found = drift(read_predictions(rows([58.0, 61.0, 52.0]))["belief"])
    assert (found.n, found.coverage90) == (3, 1.0)
    assert drift_sentence(found).startswith("No sign of drift: 100 % of the last 3 outcomes")
