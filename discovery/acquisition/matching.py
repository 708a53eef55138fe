"""Matching a target or a window: the expected reduction of the distance, exact per member."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.acquisition.gaussians import LEAST, Mixture, log_hinge


@dataclass(frozen=True)
class Matching:
    """Minus the distance to a window; a target is a window without width.

    Attributes:
        low: Lowest value that matches, raw units.
        high: Highest value that matches.
        least: Distances below this are not told apart: with a match in hand, the probability of another one counts.
    """

    low: float
    high: float
    least: float = 0.0

    def of(self, y: Tensor) -> Tensor:
        """Score outcomes."""
        return -torch.maximum((self.low - y).clamp_min(0), (y - self.high).clamp_min(0))

    def expected(self, at: Mixture) -> Tensor:
        """Expected score under a mixture: two hinges. Shape `[f x] n`."""
        beyond = at.log_excess(at.mean.new_tensor([self.high])).exp()
        short = at.flipped().log_excess(at.mean.new_tensor([-self.low])).exp()
        return -(beyond + short)[..., 0]

    def log_excess(self, at: Mixture, level: Tensor) -> Tensor:
        """Logarithm of `E[max(score - level, 0)]`: four hinges per component, exact.

        With `D = -level` the excess is a trapezoid over the window, `D` high and `D` wide at both sides. It is
        symmetric, so every component is seen from its nearer side, where the hinges are upper tails and do not cancel.

        Args:
            at: The mixture.
            level: Levels, at most 0 (best scores so far). Shape `k`, or `f x k`.

        Returns:
            Shape `[f x] n x k`.
        """
        distance = (-level).clamp_min(self.least)[..., None, :, None]  # [f x] 1 x k x 1
        half = (self.high - self.low) / 2
        mean, sd = -(at.mean - (self.low + self.high) / 2).abs()[..., None, :], at.sd[..., None, :]
        edges = (-half - distance, -half, half, half + distance)
        first, second, third, fourth = (log_hinge((mean - edge) / sd) for edge in edges)
        share = -torch.expm1(second - first) + torch.exp(third - first) * torch.expm1(fourth - third)
        weight = at.log_weight if at.log_weight.ndim == 1 else at.log_weight[..., None, :]
        inside = torch.where(distance > 0, share.clamp_min(LEAST).log(), -torch.inf)
        return torch.logsumexp(weight + sd.log() + first + inside, dim=-1)
