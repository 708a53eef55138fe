"""Fantasies: what the belief would be if running experiments came out as it expects.

Each fantasy draws one outcome from the mixture, conditions every member on it and re-weights the members by how well
they foresaw it. Draws are stratified quantiles, so that few of them cover the mixture and a seed repeats them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.acquisition.mixture import Target, believed_best, mixture_quantile
from discovery.belief.belief import KeptBank

N_FANTASIES = 16


@dataclass(frozen=True)
class Fantasies:
    """Banks conditioned on imagined outcomes at some configurations.

    Attributes:
        kept: Banks with outcomes of shape `f x h x n` and weights of shape `f x h`.
        target: Direction and best outcome per fantasy.
    """

    kept: tuple[KeptBank, ...]
    target: Target


def fantasize(
    kept: Sequence[KeptBank],
    X: Tensor,
    generator: torch.Generator,
    *,
    sign: float,
    given: Sequence[tuple[int, float]] = (),
) -> Fantasies:
    """Imagine outcomes at configurations, one after the other.

    Args:
        kept: Banks with member weights, conditioned on real measurements only.
        X: Configurations under way or chosen already. Shape `p x d`.
        generator: Source of the draws' pairing.
        sign: 1 to maximize, -1 to minimize.
        given: Coordinates of a context and their values today.

    Returns:
        Banks that hold `N_FANTASIES` imagined sets of outcomes.
    """
    current = tuple(kept)
    for row in X:
        current = _one(current, row[None], generator)
    return Fantasies(current, Target(sign, believed_best(current, sign, given)))


def _one(kept: tuple[KeptBank, ...], x: Tensor, generator: torch.Generator) -> tuple[KeptBank, ...]:
    """Condition banks on one more imagined outcome per fantasy at `x` (shape `1 x d`)."""
    means, sds = [], []
    for part in kept:
        mean, variance = part.bank.predictive(x)  # [f x] h x 1
        means.append(mean[..., 0].expand(N_FANTASIES, -1))
        sds.append(variance.sqrt()[..., 0].expand(N_FANTASIES, -1))
    weights = torch.cat([part.log_weight.expand(N_FANTASIES, -1) for part in kept], dim=-1).exp()
    order = torch.randperm(N_FANTASIES, generator=generator).to(x.device)
    level = ((order + 0.5) / N_FANTASIES).to(x.dtype)
    y = mixture_quantile(torch.cat(means, -1), torch.cat(sds, -1), weights, level)  # f
    conditioned = [_condition(part, x, y, mean, sd) for part, mean, sd in zip(kept, means, sds, strict=True)]
    total = torch.logsumexp(torch.cat([part.log_weight for part in conditioned], dim=-1), dim=-1, keepdim=True)
    return tuple(KeptBank(part.name, part.bank, part.log_weight - total) for part in conditioned)


def _condition(part: KeptBank, x: Tensor, y: Tensor, mean: Tensor, sd: Tensor) -> KeptBank:
    y_new = y[:, None, None, None].expand(-1, len(mean[-1]), 1, 1)  # f x h x 1 x 1
    grown = part.bank.condition_on_observations(x, y_new)
    log_density = -0.5 * ((y[:, None] - mean) / sd).square() - sd.log()
    return KeptBank(part.name, grown, part.log_weight + log_density)
