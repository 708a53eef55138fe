"""Matching: distances shrink by what sampling says, and a match in hand asks for another."""

import pytest
import torch

from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.matching import Matching

T = torch.float64


@pytest.mark.parametrize(("low", "high"), [(0.4, 0.4), (-0.5, 1.0)])
@pytest.mark.parametrize("best", [-2.0, -0.3])
def test_the_gain_is_the_expected_reduction_of_the_distance(drawn, low, high, best):
    """Sampled outcomes come nearer to the target or window by as much."""
    mixture, y = drawn(5)
    distance = torch.maximum((low - y).clamp_min(0), (y - high).clamp_min(0))
    gain = Matching(low, high).log_excess(mixture, torch.tensor([best], dtype=T))[:, 0].exp()
    torch.testing.assert_close(gain, (-best - distance).clamp_min(0).mean(1), rtol=0.02, atol=2e-3)
    torch.testing.assert_close(Matching(low, high).expected(mixture), -distance.mean(1), rtol=0.02, atol=5e-3)
    torch.testing.assert_close(Matching(low, high).of(y), -distance)


@pytest.mark.parametrize("offset", [0.0, 1e-3, 30.0, -30.0, 300.0])
def test_far_and_near_gains_have_values_and_slopes(offset):
    """Three hundred deviations away a step towards the target still gains, symmetrically."""
    mean = torch.tensor([[offset], [-offset]], dtype=T, requires_grad=True)
    at = Mixture(mean, torch.ones_like(mean), torch.zeros(1, dtype=T))
    value = Matching(-0.1, 0.1).log_excess(at, torch.tensor([-0.5], dtype=T))[:, 0]
    slope = torch.autograd.grad(value.sum(), mean)[0][:, 0]
    assert torch.isfinite(value).all() and torch.isfinite(slope).all()
    assert float(value[0].detach()) == pytest.approx(float(value[1].detach()))
    if offset:
        assert float(slope[0]) * offset < 0
    step = 1e-5
    shifted = Mixture(mean.detach() + step, at.sd, at.log_weight)
    numeric = (Matching(-0.1, 0.1).log_excess(shifted, torch.tensor([-0.5], dtype=T))[:, 0] - value.detach()) / step
    torch.testing.assert_close(slope, numeric, rtol=1e-3, atol=1e-4)


def test_with_a_match_in_hand_another_one_counts(drawn):
    """At distance zero the gain is the least distance times the probability of the window."""
    mixture, _ = drawn(6)
    gain = Matching(-0.5, 0.5, least=1e-4).log_excess(mixture, torch.zeros(1, dtype=T))[:, 0]
    torch.testing.assert_close(gain.exp() / 1e-4, mixture.log_between(-0.5, 0.5).exp(), rtol=1e-2, atol=1e-3)
