"""Scores: an outcome constraint in the direction of the goal and the improvement are one event."""

import pytest
import torch

from discovery.acquisition.aims import Limit
from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.goals import Rising
from discovery.acquisition.limits import floors_of

T = torch.float64


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_below_the_floor_nothing_is_worth_anything(drawn, sign):
    """Sampled scores exceed levels by as much, counting only those above the floor; the slope is finite."""
    mixture, y = drawn(80)
    levels, score = torch.tensor([-1.0, 0.4, 1.5], dtype=T), sign * y
    mean = mixture.mean.clone().requires_grad_(True)
    found = Rising(sign, floor=0.4).log_excess(Mixture(mean, mixture.sd, mixture.log_weight), levels)
    for k, level in enumerate(levels):
        exact = ((score - level).clamp_min(0) * (score > 0.4)).mean(1)
        torch.testing.assert_close(found[:, k].detach().exp(), exact, rtol=0.02, atol=6e-3)
    assert torch.isfinite(torch.autograd.grad(found.sum(), mean)[0]).all()
    torch.testing.assert_close(Rising(sign).log_excess(mixture, levels)[:, 2], found.detach()[:, 2])


def test_limits_in_the_direction_of_the_goal_are_floors():
    """Only those on one wanted outcome, from the right side; the tightest counts, the others remain."""
    upper = Limit({"purity": 1.0}, "<=", 99.0)
    both = Limit({"purity": 1.0, "cost": 1.0}, ">=", 0.0)
    other = Limit({"acid": 1.0}, ">=", 2.0)
    limits = (
        Limit({"purity": 1.0}, ">=", 90.0),
        Limit({"purity": -2.0}, "<=", -190.0),
        Limit({"cost": 1.0}, "<=", 7.0),
        upper,
        both,
        other,
    )
    floors, rest = floors_of(limits, {"purity": 1.0, "cost": -1.0})
    assert floors == {"purity": 95.0, "cost": -7.0}
    assert rest == (upper, both, other)
