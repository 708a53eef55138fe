"""Scores of predictions: supports, queries, and numbers that do not hang on the unit."""

import numpy as np
import pandas as pd
import pytest

from discovery.evaluation.bench.predictions import (
    execute_predictions,
    plan_calibration,
    plan_few_shot,
    prediction_row,
)
from discovery.evaluation.bench.rows import ResultsFile
from discovery.evaluation.bench.runner import RunOptions, run_units
from discovery.evaluation.bench.score_statistics import SCORES, pit_histogram, score_gains, score_table
from discovery.evaluation.bench.suites import SuiteOptions, open_suite
from discovery.evaluation.methods import Prediction


@pytest.fixture
def suite(datasets):
    return open_suite(SuiteOptions(families=("mpea_mechanical",), n_tasks=1, n_seeds=2))


@pytest.fixture
def run(suite, tmp_path):
    def make(units):
        return run_units(units, execute_predictions, ResultsFile(tmp_path / "b.parquet"), RunOptions(n_workers=1))

    return make


def test_few_shot_rows(suite, run):
    """Every support is scored on all other candidates; supports that leave too little are left out."""
    made = run(plan_few_shot(suite, ["cold_gp"]))
    assert not made.failed and not made.skipped
    rows = made.rows
    assert (rows["n_support"] + rows["n_query"] == rows["n_candidates"]).all()
    assert sorted(rows["n_support"].unique()) == [5, 10, 20]
    assert np.isfinite(rows[list(SCORES)].to_numpy(float)).all()


def test_calibration_is_scored_where_a_search_goes(suite, run):
    """Ten next choices of the method's own search are predicted; random and search supports are scored on the rest."""
    made = run(plan_calibration(suite, ["no_transfer"]))
    assert not made.failed and not made.skipped
    rows = made.rows.set_index(["support", "n_support", "seed"])["n_query"].sort_index()
    assert {support for support, _, _ in rows.index} == {"random", "search", "visited"}
    assert rows["visited", 10].tolist() == [10, 10]
    assert rows["search", 10].tolist() == [26, 26]


def mixture(rng, n, scale=1.0, shift=0.0):
    weights = np.log(np.array([0.3, 0.7]))
    means = rng.normal(size=(n, 2))
    return Prediction(weights, shift + scale * means, scale * np.full((n, 2), 0.8))


@pytest.fixture
def context(suite):
    from discovery.evaluation.context import open_campaign

    return open_campaign(suite.tasks[0].spec, 10, "cpu")[0]


def test_scaled_scores_do_not_hang_on_the_unit(context):
    """In percent or as a fraction, shifted or not: the same scaled scores, ranks and coverage."""
    y, everything = np.random.default_rng(0).normal(size=150), np.random.default_rng(1).normal(size=300)
    one = prediction_row(mixture(np.random.default_rng(2), 150), y, context, everything)
    other = prediction_row(
        mixture(np.random.default_rng(2), 150, 0.01, 7), 7 + 0.01 * y, context, 7 + 0.01 * everything
    )
    assert one["nlpd"] != pytest.approx(other["nlpd"])
    for name in (*SCORES, "coverage50", "coverage80", "coverage95"):
        assert one[name] == pytest.approx(other[name], abs=1e-9), name
    assert one["pit_counts"] == other["pit_counts"] and sum(one["pit_counts"]) == 150


def test_a_calibrated_forecast_scores_as_one(context):
    """Outcomes drawn from the forecast lie in its intervals as often as stated, and fill the histogram evenly."""
    rng = np.random.default_rng(3)
    means = rng.normal(size=(4000, 1))
    y = means[:, 0] + 0.5 * rng.normal(size=4000)
    row = prediction_row(Prediction(np.zeros(1), means, np.full((4000, 1), 0.5)), y, context, y)
    assert row["coverage90"] == pytest.approx(0.9, abs=0.02)
    assert row["calibration_error"] < 0.02 and row["pit_ks"] < 0.03
    assert min(row["pit_counts"]) > 140


def scored(method, task, value):
    row = {"family": "f", "task": task, "method": method, "support": "random", "n_support": 5, "seed": 0}
    return row | dict.fromkeys(SCORES, value) | {"pit_counts": [1, 0, 3]}


def test_gains_have_the_sign_of_better():
    """More is a gain where more is better, a loss where less is; of coverage neither is."""
    values = [("cold_gp", "a", 0.2), ("cold_gp", "b", 0.4), ("belief", "a", 0.5), ("belief", "b", 0.9)]
    rows = pd.DataFrame([scored(*value) for value in values])
    gains = score_gains(rows).set_index("score")["gain"]
    assert gains["spearman"] == pytest.approx(0.4)
    assert gains["nlpd_scaled"] == pytest.approx(-0.4)
    assert "coverage90" not in gains
    table = score_table(rows).set_index("method")
    assert (table.loc["belief", "lowest_coverage90"], table.loc["belief", "highest_coverage90"]) == (0.5, 0.9)
    assert pit_histogram(rows)["shares"].iloc[0].tolist() == [0.25, 0.0, 0.75]
