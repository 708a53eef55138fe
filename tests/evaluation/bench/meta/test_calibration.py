"""The check of densities and coverage: what it tells of a learner."""

from discovery.evaluation.bench.meta.frame import CheckOptions, run_check


def test_every_support_has_density_coverage_and_cost():
    """A row per learner and support, with shares that are shares and times that were taken."""
    result = run_check("calibration", CheckOptions(seeds=1, is_quick=True, learners=("meta_gp",)))
    (row,) = result.rows
    assert (row["learner"], row["support"]) == ("meta_gp", 5)
    assert 0 < row["coverage90"] <= 1 and row["train_s"] > 0 and row["adapt_ms"] > 0
    assert (
        run_check("calibration", CheckOptions(seeds=1, is_quick=True, learners=("meta_gp",))).rows[0]["nlpd"]
        == row["nlpd"]
    )
