"""Desirability: ramps mean what they say, and the sampled improvement is that of the mixtures."""

import math

import pytest
import torch

from discovery.acquisition.aims import Want
from discovery.acquisition.desirability import Desirability, Ramp, desirability_of, ramp_of
from discovery.acquisition.gaussians import Mixture
from discovery.errors import ConfigurationError

T = torch.float64


@pytest.mark.parametrize(
    ("want", "values"),
    [
        (Want("y", "maximize", span=(0, 10)), {-1: 0, 5: 0.5, 10: 1, 12: 1}),
        (Want("y", "minimize", span=(0, 10)), {-1: 1, 2.5: 0.75, 10: 0, 12: 0}),
        (Want("y", "match", target=4, span=(0, 10)), {0: 0, 2: 0.5, 4: 1, 7: 0.5, 10: 0}),
        (Want("y", "match", window=(4, 6), span=(0, 10)), {2: 0.5, 5: 1, 8: 0.5, 11: 0}),
        (Want("y", "hits", threshold=8, span=(2, 8)), {2: 0, 5: 0.5, 9: 1}),
        (Want("y", "hits", threshold=8), {7.8: 0, 7.95: 0.5, 9: 1}),
        (Want("y", "hits", threshold=8, above=False), {9: 0, 8.05: 0.5, 7: 1}),
        (Want("y", "hits", threshold=2, above=False, span=(2, 8)), {1: 1, 5: 0.5, 9: 0}),
    ],
)
def test_ramps_rise_to_what_is_wanted(want, values):
    """They are 0 and 1 where the team said, straight between, and a trace above 0 outside."""
    ramp = ramp_of(want)
    y = torch.tensor(list(values), dtype=T)
    torch.testing.assert_close(ramp.log_of(y).exp(), torch.tensor(list(values.values()), dtype=T), atol=2e-3, rtol=0)


@pytest.mark.parametrize("want", [Want("y", "maximize"), Want("y", "match", target=4, span=(5, 10))])
def test_ramps_that_mean_nothing_are_refused(want):
    """A missing span, or one that does not hold the target, is named."""
    with pytest.raises(ConfigurationError, match=r"of y must|Objective y must"):
        ramp_of(want)


def _ramps():
    return (("a", Ramp(-2.0, 2.0), 0.75), ("b", Ramp(2.0, -2.0), 0.25))


def test_the_product_is_a_weighted_geometric_mean():
    """Half way on both is half; a quarter and one, by weight."""
    values = {"a": torch.tensor([0.0, -1.0], dtype=T), "b": torch.tensor([0.0, -3.0], dtype=T)}
    found = desirability_of(_ramps(), values)
    assert found.tolist() == pytest.approx([0.5, 0.25**0.75])


@pytest.mark.parametrize("best", [0.0, 0.4])
def test_the_improvement_is_that_of_the_mixtures(drawn, best):
    """Two hundred fixed samples agree with 400,000 random ones, repeat exactly, and have a slope."""
    (a, ya), (b, yb) = drawn(8), drawn(9)
    value = Desirability(_ramps(), torch.tensor(best, dtype=T))
    found = value({"a": a, "b": b}).exp()
    exact = (desirability_of(_ramps(), {"a": ya, "b": yb}) - best).clamp_min(0).mean(1)
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0.01)
    torch.testing.assert_close(value({"a": a, "b": b}).exp(), found, rtol=0, atol=0)
    mean = a.mean.clone().requires_grad_(True)
    slope = torch.autograd.grad(value({"a": Mixture(mean, a.sd, a.log_weight), "b": b}).sum(), mean)[0]
    assert torch.isfinite(slope).all() and bool((slope.sum(1) > 0).all())


def test_members_are_credited_with_what_their_samples_gain(drawn):
    """The derivatives by the log weights of an outcome's members are their shares: positive, and one in all."""
    (a, _), (b, _) = drawn(8), drawn(9)
    weight = a.log_weight.clone().requires_grad_(True)
    value = Desirability(_ramps(), torch.tensor(0.4, dtype=T))({"a": Mixture(a.mean, a.sd, weight), "b": b})[0]
    shares = torch.autograd.grad(value, weight)[0]
    assert float(shares.min()) >= 0 and float(shares.sum()) == pytest.approx(1.0)


def test_one_linear_ramp_is_expected_improvement():
    """Well inside a ramp the closed form of one outcome comes out."""
    at = Mixture(torch.zeros(1, 1, dtype=T), torch.full((1, 1), 0.1, dtype=T), torch.zeros(1, dtype=T))
    found = Desirability((("a", Ramp(-1.0, 1.0), 1.0),), torch.tensor(0.5, dtype=T))({"a": at})
    assert float(found.exp()) == pytest.approx(0.05 / math.sqrt(2 * math.pi), rel=0.03)
