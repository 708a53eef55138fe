"""Expectations of mixtures are exact, also where doubles run out of digits."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from discovery.acquisition.gaussians import Mixture, chosen_members, log_hinge, log_mean, quasi_random

T = torch.float64


def _log_integral(z):
    """Logarithm of the integral of `u pdf(u - z)` over positive `u`, for `z` at most 0."""
    scaled = quad(lambda u: u * math.exp(z * u - 0.5 * u * u), 0, 40 / max(1.0, -z), epsabs=0, epsrel=1e-12)[0]
    return math.log(scaled) - 0.5 * z * z - 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize("z", [-200.0, -40.0, -25.0001, -24.9999, -6.0, -1.0001, -0.9999, 0.0, 3.0, 50.0])
def test_the_hinge_is_an_integral(z):
    """It equals the integral of its definition, and its slope is the probability of exceeding, in both tails."""
    at = torch.tensor(z, dtype=T, requires_grad=True)
    value = log_hinge(at)
    (slope,) = torch.autograd.grad(value, at)
    exact = math.log(norm.pdf(z) + z * norm.cdf(z)) if z > 0 else _log_integral(z)
    assert float(value.detach()) == pytest.approx(exact, rel=1e-10, abs=1e-10)
    assert float(slope) == pytest.approx(math.exp(norm.logcdf(z) - exact), rel=1e-7)


def test_excess_and_probability_are_those_of_the_mixture(drawn):
    """Sampled outcomes exceed levels by as much and as often."""
    mixture, y = drawn(0)
    levels = torch.tensor([-1.0, 0.5, 2.0], dtype=T)
    excess, above = mixture.log_excess(levels).exp(), mixture.log_above(levels).exp()
    for k, level in enumerate(levels):
        torch.testing.assert_close(excess[:, k], (y - level).clamp_min(0).mean(1), rtol=0.02, atol=5e-3)
        torch.testing.assert_close(above[:, k], (y > level).double().mean(1), rtol=0.02, atol=5e-3)
    torch.testing.assert_close(mixture.expected, y.mean(1), rtol=0.02, atol=5e-3)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 0.5), (-math.inf, 0.5), (0.5, math.inf), (30.0, 31.0), (-31.0, -30.0)]
)
def test_intervals_have_their_probability(drawn, low, high):
    """It is the sum over members, also thirty deviations away, on both sides, with a finite slope."""
    mixture, _ = drawn(1)
    mean = mixture.mean.clone().requires_grad_(True)
    found = Mixture(mean, mixture.sd, mixture.log_weight).log_between(low, high)
    z_low, z_high = ((edge - mixture.mean.numpy()) / mixture.sd.numpy() for edge in (low, high))
    parts = np.where(z_low > 0, norm.logsf(z_low), norm.logcdf(z_high))
    other = np.where(z_low > 0, norm.logsf(z_high), norm.logcdf(z_low))
    exact = np.logaddexp.reduce(mixture.log_weight.numpy() + parts + np.log1p(-np.exp(other - parts)), axis=1)
    np.testing.assert_allclose(found.detach().numpy(), exact, rtol=1e-9, atol=1e-9)
    assert torch.isfinite(torch.autograd.grad(found.sum(), mean)[0]).all()


def test_fantasies_have_levels_and_weights_of_their_own(drawn):
    """A leading dimension gives what each fantasy alone gives."""
    one, other = drawn(2)[0], drawn(3)[0]
    both = Mixture(
        torch.stack([one.mean, other.mean]),
        torch.stack([one.sd, other.sd]),
        torch.stack([one.log_weight, other.log_weight])[:, None, :],
    )
    levels = torch.tensor([[0.1, 0.7], [-0.3, 1.0]], dtype=T)
    joint = both.log_excess(levels)
    torch.testing.assert_close(joint, torch.stack([one.log_excess(levels[0]), other.log_excess(levels[1])]))
    between = both.log_between(-0.5, 0.5)
    torch.testing.assert_close(between, torch.stack([one.log_between(-0.5, 0.5), other.log_between(-0.5, 0.5)]))
    torch.testing.assert_close(log_mean(between), between.exp().mean(0).log())


def test_members_are_chosen_in_proportion(drawn):
    """Among evenly spread numbers each member comes as often as its weight says, within one or two."""
    mixture, _ = drawn(4)
    u = quasi_random(256, 1, 0, mixture.mean)[:, 0]
    chosen = chosen_members(mixture, u)
    for h, weight in enumerate(mixture.log_weight.exp().tolist()):
        count = int((chosen.mean[0] == mixture.mean[0, h]).sum())
        assert count == pytest.approx(256 * weight, abs=2)
    assert float(chosen.log_weight.exp().sum()) == pytest.approx(1.0)
