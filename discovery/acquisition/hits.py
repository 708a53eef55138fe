"""Hit discovery: experiments that are likely to lie beyond a threshold, and batches that do not bet on one place.

The expected number of hits of a batch is the sum of its probabilities, which one cluster of look-alikes maximizes as
well as any other. So every further experiment of a batch is chosen for the case that those before it are misses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture

SURE = 1 - 1e-12  # largest probability of success that leaves something to weigh


@dataclass(frozen=True)
class Hit:
    """Logarithm of the probability that the true outcome lies beyond a threshold.

    Attributes:
        outcome: Name of the outcome.
        threshold: Where a hit begins, raw units.
        is_above: Whether hits lie above it.
    """

    outcome: str
    threshold: float
    is_above: bool = True

    is_linear: ClassVar[bool] = False
    is_success: ClassVar[bool] = True

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate at mixtures. Shape `[f x] n`."""
        mixture, sign = at[self.outcome], 1.0 if self.is_above else -1.0
        seen = mixture if self.is_above else mixture.flipped()
        return seen.log_above(mixture.mean.new_tensor([sign * self.threshold]))[..., 0]


def log_share_failed(log_success: Tensor) -> Tensor:
    """Weigh fantasies by how probable it is, in each, that no experiment under way succeeds.

    Args:
        log_success: Log probability of success of every experiment under way. Shape `f x p`.

    Returns:
        Log shares of the fantasies; they sum to one after `exp`. Shape `f`.

    Source:
        Jiang et al. (2018), Efficient nonmyopic batch active search, section 4.2 (sequential simulation with the
        oracle that always says no, the best of theirs, near-optimal for at least one success); departures: outcomes
        are continuous, so the miss is a weight on fantasies.
    """
    failed = torch.log1p(-log_success.exp().clamp_max(SURE))
    return torch.log_softmax(failed.sum(-1), dim=0)


def log_weighted_mean(values: Tensor, log_share: Tensor) -> Tensor:
    """Average over fantasies with log shares, in logarithms. Shapes `f x n`, `f` to `n`."""
    return torch.logsumexp(values + log_share[:, None], dim=0)
