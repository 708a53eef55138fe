"""The Gaussian process with fixed hyperparameters, against the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from discovery.evaluation.baselines.exact_gp import ExactGP, greedy_log_ei


def linear(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return correlations that fall linearly with distance."""
    return np.maximum(0.0, 1.0 - np.abs(A[:, None, 0] - B[None, :, 0]))


@pytest.fixture
def gp() -> ExactGP:
    """Return a process with four measurements on a line."""
    return ExactGP(
        X=np.array([[0.0], [0.3], [0.5], [0.9]]),
        y=np.array([-1.0, 0.2, 1.0, -0.2]),
        correlation=linear,
        constant=0.1,
        signal=1.5,
        noise=0.2,
        center=50.0,
        scale=10.0,
    )


def test_marginals_are_those_of_the_textbook(gp: ExactGP) -> None:
    """Mean and variance agree with the formula that inverts the covariance."""
    X = np.linspace(0, 1, 7)[:, None]
    inverse = np.linalg.inv(1.5 * linear(gp.X, gp.X) + 0.2 * np.eye(4))
    k = 1.5 * linear(gp.X, X)
    mean, variance = gp.marginals(X)
    assert mean == pytest.approx(50 + 10 * (0.1 + k.T @ inverse @ (gp.y - 0.1)))
    assert variance == pytest.approx(100 * (1.5 - np.einsum("nr,nm,mr->r", k, inverse, k)))
    assert gp.noisy_sd(variance) == pytest.approx(np.sqrt(variance + 0.2 * 100))


def test_draws_have_the_posteriors_moments(gp: ExactGP) -> None:
    """Means and variances of many draws are the marginals, in standardized units."""
    X = np.array([[0.1], [0.5], [1.5]])
    draws = gp.draw(X, 40_000, np.random.default_rng(0))
    mean, variance = gp.marginals(X)
    assert draws.mean(axis=0) == pytest.approx((mean - 50) / 10, abs=0.03)
    assert draws.var(axis=0) == pytest.approx(variance / 100, rel=0.05)


def test_a_pending_point_leaves_means_and_lowers_variances(gp: ExactGP) -> None:
    """To believe a point at its mean changes no mean, and nothing becomes less certain."""
    X = np.linspace(0, 1.5, 9)[:, None]
    before, after = gp.marginals(X), gp.with_pending(np.array([[0.7], [1.2]])).marginals(X)
    assert after[0] == pytest.approx(before[0])
    assert (after[1] <= before[1] + 1e-9).all()
    assert after[1].sum() < 0.9 * before[1].sum()


def test_a_batch_spreads_out(gp: ExactGP) -> None:
    """Of two candidates at one place the second is passed over for one elsewhere; what is taken stays out."""
    X = np.array([[0.7], [0.7], [0.45], [0.75]])
    is_taken = np.array([False, False, False, True])
    first, second = greedy_log_ei(gp, X, is_taken, 60.0, 2)
    assert (first, second) == (0, 2)
