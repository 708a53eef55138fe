"""The definitions of the metrics: closed forms, hand-made searches, ties and edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from discovery import metrics
from discovery.errors import InputError

POOL = np.array([10.0, 50.0, 90.0, 100.0, 0.0])


def mixture(seed: int = 0, r: int = 4, k: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return outcomes and random mixtures for them."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(k), size=r)
    return rng.normal(size=r), np.log(weights), rng.normal(size=(r, k)), rng.uniform(0.2, 2.0, size=(r, k))


def test_nlpd_of_one_gaussian_is_the_textbook_value() -> None:
    """A mixture of one component scores what the normal density says."""
    y, means, sds = np.array([1.0, -2.0]), np.array([[0.0], [1.0]]), np.array([[2.0], [0.5]])
    expected = -stats.norm.logpdf(y, means[:, 0], sds[:, 0]).mean()
    assert metrics.nlpd(y, np.zeros(1), means, sds) == pytest.approx(expected)


def test_mixture_density_and_pit_are_weighted_sums() -> None:
    """Density and distribution function of a mixture are the weighted sums of its components'."""
    y, log_weights, means, sds = mixture()
    weights = np.exp(log_weights)
    density = (weights * stats.norm.pdf(y[:, None], means, sds)).sum(axis=1)
    cdf = (weights * stats.norm.cdf(y[:, None], means, sds)).sum(axis=1)
    np.testing.assert_allclose(np.exp(metrics.log_density(y, log_weights, means, sds)), density)
    np.testing.assert_allclose(metrics.pit(y, log_weights, means, sds), cdf)


def test_shared_log_weights_equal_repeated_ones() -> None:
    """Weights of shape k mean the same as the same weights at every point."""
    y, log_weights, means, sds = mixture()
    shared = log_weights[0]
    repeated = np.tile(shared, (len(y), 1))
    for score in (metrics.log_density, metrics.crps_gaussian_mixture, metrics.pit):
        np.testing.assert_allclose(score(y, shared, means, sds), score(y, repeated, means, sds))


def test_crps_equals_the_integral_of_squared_distance() -> None:
    """The closed form equals the defining integral over (F(x) - 1[y <= x])^2."""
    y, log_weights, means, sds = mixture(seed=3, r=2)
    got = metrics.crps_gaussian_mixture(y, log_weights, means, sds)
    for i in range(2):

        def cdf(x: float, i: int = i) -> float:
            return float((np.exp(log_weights[i]) * stats.norm.cdf(x, means[i], sds[i])).sum())

        below = integrate.quad(lambda x: cdf(x) ** 2, -30, y[i])[0]
        above = integrate.quad(lambda x: (1 - cdf(x)) ** 2, y[i], 30)[0]
        assert got[i] == pytest.approx(below + above, rel=1e-5)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
def test_quantile_inverts_the_pit(p: float) -> None:
    """The mixture puts probability p below its p-quantile."""
    _, log_weights, means, sds = mixture(seed=1)
    np.testing.assert_allclose(
        metrics.pit(metrics.quantile(p, log_weights, means, sds), log_weights, means, sds), p, atol=1e-9
    )


def test_coverage_counts_the_central_interval() -> None:
    """Ninety percent coverage counts PIT values from 0.05 to 0.95."""
    assert metrics.coverage(np.array([0.04, 0.05, 0.5, 0.96])) == 0.5


def test_rmse_by_hand() -> None:
    """Errors of 3 and 4 have a root mean square of sqrt(12.5)."""
    assert metrics.rmse(np.array([0.0, 0.0]), np.array([3.0, -4.0])) == pytest.approx(np.sqrt(12.5))


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=30))
def test_spearman_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    """With and without ties the rank correlation is scipy's; a constant side gives 0."""
    a, b = np.array(pairs, dtype=float).T
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert metrics.spearman(a, b) == 0.0
    else:
        assert metrics.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("is_active", "scores", "expected"),
    [
        ([1, 1, 0, 0], [4, 3, 2, 1], 0.5),  # perfect ranking: 1 - 0.5
        ([1, 0, 1, 0], [4, 3, 2, 1], (1 + 2 / 3) / 2 - 0.5),
        ([1, 0, 1, 0], [1, 1, 1, 1], 0.0),  # nothing said: chance
    ],
)
def test_delta_auprc_by_hand(is_active: list[int], scores: list[float], expected: float) -> None:
    """Average precision less prevalence, with equal scores entering together."""
    got = metrics.delta_auprc(np.array(is_active, dtype=bool), np.array(scores, dtype=float))
    assert got == pytest.approx(expected)


def test_delta_auprc_without_actives_is_nan() -> None:
    """Where nothing is active the score does not exist."""
    assert np.isnan(metrics.delta_auprc(np.zeros(3, dtype=bool), np.arange(3.0)))


def test_best_so_far_follows_the_goal() -> None:
    """The running best is a maximum or a minimum."""
    np.testing.assert_array_equal(metrics.best_so_far(np.array([2.0, 1.0, 3.0]), "maximize"), [2, 2, 3])
    np.testing.assert_array_equal(metrics.best_so_far(np.array([2.0, 1.0, 3.0]), "minimize"), [2, 1, 1])


def test_regret_is_normalized_by_the_pool() -> None:
    """Regret goes from the worst candidate (1) to the best (0), for either goal."""
    order = np.array([0.0, 50.0, 10.0, 100.0])
    np.testing.assert_allclose(metrics.simple_regret(order, POOL, "maximize"), [1.0, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(metrics.simple_regret(order, POOL, "minimize"), [0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(metrics.simple_regret(order[1:], POOL, "minimize"), [0.5, 0.1, 0.1])


def test_regret_of_equal_candidates_is_zero() -> None:
    """Where all candidates are equal there is nothing to regret."""
    np.testing.assert_array_equal(metrics.simple_regret(np.ones(2), np.ones(5), "maximize"), [0.0, 0.0])


@pytest.mark.parametrize(
    ("percent", "order", "expected"),
    [
        (0, [50, 90, 100], 3),  # the best alone
        (20, [50, 100], 2),  # round(1.0) = 1 candidate
        (40, [50, 90], 2),  # two candidates: 100 and 90
        (40, [0, 10, 50], 4),  # not reached: the number run plus one
        (1, [100], 1),  # round(0.05) = 0, so at least one
    ],
)
def test_experiments_to_top_by_hand(percent: float, order: list[float], expected: int) -> None:
    """The count stops at the first outcome among the best max(1, round(k n / 100))."""
    assert metrics.experiments_to_top(np.array(order, dtype=float), POOL, percent, "maximize") == expected


def test_experiments_to_top_includes_ties() -> None:
    """A candidate as good as the last one of the top belongs to the top."""
    pool = np.array([3.0, 2.0, 2.0, 1.0])
    assert metrics.experiments_to_top(np.array([1.0, 2.0]), pool, 50, "maximize") == 2
    assert metrics.experiments_to_top(np.array([2.0, 3.0]), pool, 25, "maximize") == 2
    assert metrics.experiments_to_top(np.array([3.0, 2.0]), pool, 50, "minimize") == 2


def test_experiments_to_regret_has_no_trouble_with_the_last_bit() -> None:
    """95 of 100 is within 5 %, and so is 0.95 of 1."""
    assert metrics.experiments_to_regret(np.array([0.0, 0.95]), np.array([0.0, 1.0]), 0.05, "maximize") == 2
    assert metrics.experiments_to_regret(np.array([0.0, 0.94]), np.array([0.0, 1.0]), 0.05, "maximize") == 3


@pytest.mark.parametrize(
    ("n", "first", "last"),
    [(40, 5, 30), (30, 5, 30), (12, 5, 12), (5, 5, 5), (3, 3, 3)],
)
def test_regret_auc_is_the_mean_over_experiments_5_to_30(n: int, first: int, last: int) -> None:
    """The mean goes over experiments 5 to 30, to the last where fewer were run, and is the last one's below 5."""
    pool = np.arange(101.0)
    order = np.arange(n) * 2.0
    regret = 1 - order / 100
    assert metrics.regret_auc(order, pool, "maximize") == pytest.approx(regret[first - 1 : last].mean())


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.sampled_from(["maximize", "minimize"]))
def test_mirroring_outcomes_and_goal_changes_no_metric(values: list[int], goal: metrics.Goal) -> None:
    """Maximizing y is minimizing -y."""
    pool = np.array(values, dtype=float)
    order, other = pool[::-1], "minimize" if goal == "maximize" else "maximize"
    np.testing.assert_allclose(
        metrics.simple_regret(order, pool, goal), metrics.simple_regret(-order, -pool, other), atol=1e-12
    )
    assert metrics.experiments_to_top(order, pool, 5, goal) == metrics.experiments_to_top(-order, -pool, 5, other)


def test_a_pool_without_candidates_is_refused() -> None:
    """Regret over nothing is an input error, not a NaN."""
    with pytest.raises(InputError, match="at least one candidate"):
        metrics.simple_regret(np.ones(1), np.array([]), "maximize")
    with pytest.raises(InputError, match="at least one candidate"):
        metrics.experiments_to_top(np.ones(1), np.array([]), 5, "maximize")
