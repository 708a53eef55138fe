"""What makes a value good: scores of one outcome, where more is better, with their expected excess in closed form.

Every score answers the same two questions of a mixture: how good is what is believed, and by how much is a level
expected to be exceeded. One outcome's expected improvement and a front's hypervolume are made of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from discovery.acquisition.gaussians import Mixture


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
    """The outcome itself (`sign` 1), or its negative (-1)."""

    sign: float

    def of(self, y: Tensor) -> Tensor:
        """Score outcomes."""
        return self.sign * y

    def expected(self, at: Mixture) -> Tensor:
        """Expected score under a mixture. Shape `[f x] n`."""
        return self.sign * at.expected

    def log_excess(self, at: Mixture, level: Tensor) -> Tensor:
        """Logarithm of `E[max(score - level, 0)]`. Shape `[f x] n x k`."""
        return (at if self.sign > 0 else at.flipped()).log_excess(level)
