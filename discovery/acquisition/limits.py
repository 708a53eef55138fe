"""Constraints on outcomes: the probability that an experiment keeps to them, and that it succeeds at all.

Limits on one outcome are an interval, whose probability is exact under the mixture. A limit on two outcomes is exact
over pairs of members; on more, over a stratified sample of members. Different limits are multiplied, as if they were
independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture, chosen_members, quasi_random

if TYPE_CHECKING:
    from discovery.acquisition.aims import Limit

N_TUPLES = 512  # samples of members, for limits on three outcomes and more
TRACE = 0.01  # nothing is taken for less likely to succeed, or to fail
LIKELY = 0.5  # configurations that keep to the limits with this probability are taken for feasible


def log_feasible(limits: Sequence[Limit], at: Mapping[str, Mixture]) -> Tensor | None:
    """Return the logarithm of the probability that all limits hold.

    Args:
        limits: The limits.
        at: What is believed of every outcome that they name.

    Returns:
        Shape `[f x] n`; None where there are no limits.
    """
    if not limits:
        return None
    parts = [at[name].log_between(low, high) for name, (low, high) in intervals(limits).items()]
    parts += [_log_joint(limit, at) for limit in limits if len(limit.coefficients) > 1]
    return torch.stack(torch.broadcast_tensors(*parts)).sum(0)


def intervals(limits: Sequence[Limit]) -> dict[str, tuple[float, float]]:
    """Return the interval that limits on one outcome leave to it, by outcome; empty ones have no width."""
    found: dict[str, tuple[float, float]] = {}
    for limit in limits:
        if len(limit.coefficients) == 1:
            ((name, coefficient),) = limit.coefficients.items()
            low, high = found.get(name, (-math.inf, math.inf))
            bound, is_upper = limit.rhs / coefficient, (limit.relation == "<=") == (coefficient > 0)
            found[name] = (low, min(high, bound)) if is_upper else (max(low, bound), high)
    return found


def floors_of(limits: Sequence[Limit], signs: Mapping[str, float]) -> tuple[dict[str, float], tuple[Limit, ...]]:
    """Find limits that say from where on an outcome is good enough at all, in the direction in which it is wanted.

    Such a limit and the improvement are one event, not two independent ones, and their joint expectation is exact.

    Args:
        limits: All limits.
        signs: 1 or -1 for outcomes that are wanted high or low.

    Returns:
        The lowest score that counts, by outcome, and the limits that remain.
    """
    floors: dict[str, float] = {}
    rest: list[Limit] = []
    for limit in limits:
        name = next(iter(limit.coefficients))
        low, high = intervals([limit]).get(name, (-math.inf, math.inf))
        floor = low if signs.get(name, 0.0) > 0 else -high
        if name in signs and math.isfinite(floor):
            floors[name] = max(floors.get(name, -math.inf), floor)
        else:
            rest.append(limit)
    return floors, tuple(rest)


def _log_joint(limit: Limit, at: Mapping[str, Mixture]) -> Tensor:
    """Logarithm of the probability that a limit on several outcomes holds. Shape `[f x] n`."""
    total = sum_of([at[name] for name in limit.coefficients], list(limit.coefficients.values()))
    low, high = (-math.inf, limit.rhs) if limit.relation == "<=" else (limit.rhs, math.inf)
    return total.log_between(low, high)


def sum_of(mixtures: Sequence[Mixture], coefficients: Sequence[float]) -> Mixture:
    """Return the mixture of a weighted sum of independent outcomes.

    Args:
        mixtures: One per outcome, at the same configurations.
        coefficients: One per outcome.

    Returns:
        Over all pairs of members for two outcomes; over `N_TUPLES` sampled ones for more.
    """
    if len(mixtures) == 2:
        (left, right), (a, b) = mixtures, coefficients
        mean = a * left.mean[..., :, None] + b * right.mean[..., None, :]
        variance = (a * left.sd[..., :, None]).square() + (b * right.sd[..., None, :]).square()
        weight = left.log_weight[..., :, None] + right.log_weight[..., None, :]
        return Mixture(mean.flatten(-2), variance.sqrt().flatten(-2), weight.flatten(-2))
    u = quasi_random(N_TUPLES, len(mixtures), 0, mixtures[0].mean)
    chosen = [chosen_members(mixture, u[:, k]) for k, mixture in enumerate(mixtures)]
    mean = torch.stack([c * part.mean for c, part in zip(coefficients, chosen, strict=True)]).sum(0)
    variance = torch.stack([(c * part.sd).square() for c, part in zip(coefficients, chosen, strict=True)]).sum(0)
    weight = torch.stack([part.log_weight for part in chosen]).sum(0) + (len(chosen) - 1) * math.log(N_TUPLES)
    return Mixture(mean, variance.sqrt(), weight)


def log_success(at: Mixture) -> Tensor:
    """Logarithm of the probability that an experiment succeeds, from the belief of success (1) and failure (0).

    The mean of a regression on 0 and 1 is the probability itself. Clipped, it foretold held-out successes better than
    the probability that the latent exceeds a half did, and was better calibrated from 20 experiments on: mean negative
    log score 0.42 against 0.44 for sharp borders and 0.51 against 0.55 for soft ones, after 20 and 40 experiments.

    Args:
        at: Mixture of the latent success.

    Returns:
        Shape `[f x] n`; never below a trace, and still falling there, so that hopeless places are told apart.
    """
    mean = at.expected.clamp_max(1 - TRACE)
    return torch.where(mean > TRACE, mean.clamp_min(TRACE).log(), math.log(TRACE) + mean - TRACE)
