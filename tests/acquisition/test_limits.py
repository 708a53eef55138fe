"""Limits: probabilities are exact for one outcome and for two, and near for three."""

import math

import pytest
import torch

from discovery.acquisition.aims import Limit
from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.limits import intervals, log_feasible, log_success

T = torch.float64


def test_limits_on_one_outcome_are_an_interval():
    """Signs and relations are turned, and the tightest counts."""
    limits = (
        Limit({"a": 2.0}, "<=", 6.0),
        Limit({"a": -1.0}, "<=", 1.0),
        Limit({"a": 1.0}, "<=", 2.5),
        Limit({"b": -1.0}, ">=", 4.0),
        Limit({"a": 1.0, "b": 1.0}, "<=", 0.0),
    )
    assert intervals(limits) == {"a": (-1.0, 2.5), "b": (-math.inf, -4.0)}


@pytest.mark.parametrize(
    "limits",
    [
        (Limit({"a": 1.0}, "<=", 0.5), Limit({"a": 1.0}, ">=", -1.0)),
        (Limit({"a": 1.0}, ">=", 0.0), Limit({"b": 1.0}, "<=", 0.3)),
        (Limit({"a": 2.0, "b": -1.0}, "<=", 0.7),),
        (Limit({"a": 1.0, "b": -1.0, "c": 0.5}, ">=", 0.2),),
    ],
)
def test_the_probability_is_that_of_sampled_outcomes(drawn, limits):
    """As many samples keep to the limits; the slope by the means is finite."""
    drawns = {name: drawn(50 + k) for k, name in enumerate("abc")}
    met = torch.ones_like(drawns["a"][1], dtype=torch.bool)
    for limit in limits:
        total = sum(c * drawns[name][1] for name, c in limit.coefficients.items())
        met &= total <= limit.rhs if limit.relation == "<=" else total >= limit.rhs
    at = {name: mixture for name, (mixture, _) in drawns.items()}
    mean = at["a"].mean.clone().requires_grad_(True)
    at["a"] = Mixture(mean, at["a"].sd, at["a"].log_weight)
    found = log_feasible(limits, at)
    torch.testing.assert_close(found.detach().exp(), met.double().mean(1), rtol=0.02, atol=8e-3)
    assert torch.isfinite(torch.autograd.grad(found.sum(), mean)[0]).all()


def test_no_limits_are_nothing():
    """Without limits there is nothing to add."""
    assert log_feasible((), {}) is None


def test_the_mean_of_successes_is_their_probability():
    """A mean of 0.3 is 30 %; beyond 0 and 1 a trace is left, and the hopeless are told apart."""
    mean = torch.tensor([[1.2], [0.3], [0.0], [-0.5]], dtype=T, requires_grad=True)
    found = log_success(Mixture(mean, torch.full_like(mean, 0.3), torch.zeros(1, dtype=T)))
    assert found.detach().exp().tolist() == pytest.approx([0.99, 0.3, 0.01 * math.exp(-0.01), 0.01 * math.exp(-0.51)])
    slope = torch.autograd.grad(found.sum(), mean)[0][:, 0]
    assert slope[0] == 0 and bool((slope[1:] > 0).all())
