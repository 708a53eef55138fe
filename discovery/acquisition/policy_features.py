"""What a learned acquisition policy sees of a candidate: what the belief says of it, never where it lies.

Every number is free of units: scaling and shifting outcomes changes none, and so does the order of candidates, members
or measurements. A policy trained in one space can therefore choose in another.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture

NAMES = (
    "log_improvement",
    "mean_above_best",
    "log_sd",
    "mean_in_sds",
    "disagreement",
    "optimism",
    "log_measured",
    "undecided",
)
"""What the features are, in their order."""
LEAST_LOG = -20.0  # below it an expected improvement is told as this
MOST_SDS = 6.0


class State(NamedTuple):
    """Where a belief stands.

    Attributes:
        best: Best outcome so far as the belief sees it; to be exceeded. Shape `...`.
        spread: Prior standard deviation of the outcome: the unit. Shape `...`.
        n_measured: Number of measurements.
    """

    best: Tensor
    spread: Tensor
    n_measured: int


def log_improvement(mixture: Mixture, best: Tensor) -> Tensor:
    """Logarithm of the expected improvement on `best` under a mixture, shape `... x n`; raw units."""
    return mixture.log_excess(best[..., None])[..., 0]


def features(mixture: Mixture, state: State) -> Tensor:
    """Return the features of candidates.

    Args:
        mixture: What the belief says of them, outcomes to be maximized. Shape `... x n x H`.
        state: Where it stands. Shape `...`.

    Returns:
        Shape `... x n x f`; names in `NAMES`.
    """
    weight = mixture.log_weight.exp().expand_as(mixture.mean)
    best, spread = state.best[..., None], state.spread[..., None]
    mean = (weight * mixture.mean).sum(-1)
    between = (weight * (mixture.mean - mean[..., None]).square()).sum(-1)
    sd = ((weight * mixture.sd.square()).sum(-1) + between).clamp_min(1e-18).sqrt()
    gain = log_improvement(mixture, state.best) - spread.log()
    hopes = (mixture.mean + mixture.sd - best[..., None]) / spread[..., None]
    optimism = (weight * hopes.clamp(-4, 4).exp()).sum(-1).log()  # leans to the members that hope most
    undecided = -(weight * weight.clamp_min(1e-12).log()).sum(-1)
    columns = (
        gain.clamp_min(LEAST_LOG) / 5,
        ((mean - best) / spread).clamp(-4, 4),
        (sd / spread).log().clamp(-6, 2) / 2,
        ((mean - best) / sd).clamp(-MOST_SDS, MOST_SDS) / 3,
        between / sd.square(),
        optimism,
        torch.full_like(mean, state.n_measured).log1p() / 3,
        undecided / 3,
    )
    return torch.stack(columns, dim=-1)
