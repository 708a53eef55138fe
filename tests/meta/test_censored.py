"""Bounds are conditioned on as exactly as numerical integration does it."""

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal, norm

from discovery.meta.censored import match, tell

SD = 0.3  # of the noise


def prior(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a prior mean and covariance with strong correlations, for one member."""
    x = np.sort(np.random.default_rng(seed).random(n))
    K = 1.5 * np.exp(-0.5 * ((x[:, None] - x) / 0.4) ** 2) + 1e-6 * np.eye(n)
    return torch.full((1, n), 0.2, dtype=torch.float64), torch.as_tensor(K)[None]


def noise(n: int) -> torch.Tensor:
    """Return noise variances."""
    return torch.full((1, n), SD**2, dtype=torch.float64)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("bound", [-4.0, -0.5, 0.2, 3.0])
def test_one_bound_is_exact(side: int, bound: float) -> None:
    """One bound has the probability of a Gaussian's tail, and leaves its truncated mean."""
    mean, K = prior(1)
    told = match(mean, K, noise(1), torch.tensor([[bound]], dtype=torch.float64), torch.tensor([side]))
    sd = float((K[0, 0, 0] + SD**2).sqrt())
    expected = norm.logcdf(side * (0.2 - bound) / sd)
    assert float(told.log_steps.sum()) == pytest.approx(expected, abs=1e-6)
    f = np.linspace(-12, 12, 20001)
    weight = norm.pdf(f, 0.2, float(K[0, 0, 0].sqrt())) * norm.cdf(side * (f - bound) / SD)
    gain = float(K[0, 0, 0] / (K[0, 0, 0] + told.variance[0, 0]))
    assert 0.2 + gain * (float(told.y[0, 0]) - 0.2) == pytest.approx((f * weight).sum() / weight.sum(), abs=1e-3)


@pytest.mark.parametrize("sides", [(-1, -1), (1, -1), (1, 1)])
def test_two_bounds_are_as_integration_says(sides: tuple[int, int]) -> None:
    """Two bounds beside two measured values have the evidence and the means that integration gives, within 1e-3."""
    mean, K = prior(4)
    z = torch.tensor([[0.4, -0.1, 0.5, 0.9]], dtype=torch.float64)
    side = torch.tensor([0, sides[0], 0, sides[1]])
    told = tell(mean, K, noise(4), z, side)
    m, c = [0, 2], [1, 3]
    Ky = K[0].numpy() + SD**2 * np.eye(4)
    A = np.linalg.solve(Ky[np.ix_(m, m)], Ky[np.ix_(m, c)])
    center = 0.2 + A.T @ (z[0, m].numpy() - 0.2)
    inner = Ky[np.ix_(c, c)] - Ky[np.ix_(c, m)] @ A
    sign = -np.array(sides)
    flipped = multivariate_normal(sign * center, inner * np.outer(sign, sign))
    expected = multivariate_normal(np.full(2, 0.2), Ky[np.ix_(m, m)]).logpdf(z[0, m]) + np.log(
        flipped.cdf(sign * z[0, c].numpy())
    )
    assert float(told.log_steps.sum()) == pytest.approx(float(expected), abs=1e-3)
    latent = multivariate_normal(center, inner - SD**2 * np.eye(2))

    def mass(b: float, a: float, power: int) -> float:
        said = norm.cdf(sides[0] * (a - z[0, 1].item()) / SD) * norm.cdf(sides[1] * (b - z[0, 3].item()) / SD)
        return float(a**power * latent.pdf([a, b]) * said)

    total, first = (dblquad(mass, -4, 4, -4, 4, args=(p,), epsabs=1e-5)[0] for p in (0, 1))
    cov = K[0] + torch.diag(told.variance[0])
    posterior = mean[0] + K[0] @ torch.linalg.solve(cov, told.y[0] - mean[0])
    assert float(posterior[1]) == pytest.approx(first / total, abs=3e-3)


def test_no_bound_changes_nothing() -> None:
    """Measured values alone have their Gaussian density."""
    mean, K = prior(5)
    z = torch.randn(1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    told = tell(mean, K, noise(5), z, torch.zeros(5, dtype=torch.long))
    expected = multivariate_normal(mean[0].numpy(), K[0].numpy() + SD**2 * np.eye(5)).logpdf(z[0].numpy())
    assert float(told.log_steps.sum()) == pytest.approx(float(expected), abs=1e-7)
    assert torch.equal(told.y, z)


def test_members_differ_and_order_is_nothing() -> None:
    """Members in one batch get what each gets alone, and another order of the rows gives the same evidence."""
    mean, K = prior(6)
    K = torch.cat([K, 0.2 * K, 5 * K])
    mean, e = mean.expand(3, -1), noise(6).expand(3, -1)
    z = torch.linspace(-1, 1, 6, dtype=torch.float64).expand(3, -1)
    side = torch.tensor([0, -1, 1, 0, -1, 1])
    told = tell(mean, K, e, z, side)
    alone = tell(mean[1:2], K[1:2], e[:1], z[:1], side)
    assert torch.allclose(told.log_steps[1], alone.log_steps[0], atol=1e-5)
    order = torch.tensor([5, 2, 0, 4, 3, 1])
    again = tell(mean[:, order], K[:, order[:, None], order], e, z[:, order], side[order])
    assert torch.allclose(told.log_steps.sum(1), again.log_steps.sum(1), atol=1e-5)


def test_far_bounds_stay_finite() -> None:
    """A bound that says nothing is worth nothing, and one that is all but impossible is paid for; both are numbers."""
    mean, K = prior(3)
    z = torch.tensor([[1e6, -40.0, 0.1]], dtype=torch.float64)
    told = tell(mean, K, noise(3), z, torch.tensor([-1, -1, 0]))
    assert torch.isfinite(told.y).all() and torch.isfinite(told.variance).all()
    assert abs(float(told.log_steps[0, 0])) < 1e-3
    assert -1e4 < float(told.log_steps[0, 1]) < -100
