"""What makes a value good: scores of one outcome, where more is better, with their expected excess in closed form.

Every score answers the same two questions of a mixture: how good is what is believed, and by how much is a level
expected to be exceeded. One outcome's expected improvement and a front's hypervolume are made of the second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from discovery.acquisition.gaussians import LEAST, Mixture


class Score(Protocol):
    """How good an outcome is, raw units; more is better."""

    def of(self, y: Tensor) -> Tensor:
        """Score outcomes. Any shape."""
        ...

    def expected(self, at: Mixture) -> Tensor:
        """Expected score under a mixture. Shape `[f x] n`."""
        ...

    def log_excess(self, at: Mixture, level: Tensor) -> Tensor:
        """Logarithm of `E[max(score - level, 0)]`; levels `k` or `f x k`. Shape `[f x] n x k`."""
        ...


@dataclass(frozen=True)
class Rising:
    """The outcome itself (`sign` 1), or its negative (-1).

    Attributes:
        sign: Which of the two.
        floor: Scores below this are worth nothing at all: an outcome constraint in the direction of the goal.
    """

    sign: float
    floor: float = -math.inf

    def of(self, y: Tensor) -> Tensor:
        """Score outcomes."""
        return self.sign * y

    def expected(self, at: Mixture) -> Tensor:
        """Expected score under a mixture. Shape `[f x] n`."""
        return self.sign * at.expected

    def log_excess(self, at: Mixture, level: Tensor) -> Tensor:
        """Logarithm of `E[max(score - level, 0)]`, over scores above the floor. Shape `[f x] n x k`."""
        seen = at if self.sign > 0 else at.flipped()
        if math.isinf(self.floor):
            return seen.log_excess(level)
        start = level.clamp_min(self.floor)
        jump = (start - level)[..., None, :]  # what a score at the floor exceeds the level by
        stepped = torch.where(jump > 0, jump.clamp_min(LEAST).log() + seen.log_above(start), -torch.inf)
        return torch.logaddexp(seen.log_excess(start), stepped)
