"""From exact evidence to search weights: fixed share, the floor under no transfer, the e-process.

Evidence is exact and independent of order. Search weights are not the same thing (DESIGN 4.3): they are allowed to
recover and never let the no-transfer hypothesis vanish, and may depend on the order of measurements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

NO_TRANSFER = "no_transfer"
FIXED_SHARE = 0.02  # share of every step's weight that is handed back to the prior, so that weights can recover
FLOOR = 0.05  # the no-transfer hypothesis never holds less of the search
GOLDEN = (math.sqrt(5) - 1) / 2  # steps that never fall into the rhythm of a quasi-random design
ALARM = 20.0  # e-value at which the experience is said not to fit (level 5 %, Ville's inequality)


def hypothesis_steps(log_prior: Tensor, log_steps: Tensor) -> Tensor:
    """One-step log densities of a bank as a whole.

    Args:
        log_prior: Log prior of the members. Shape `h`.
        log_steps: One-step log densities per member. Shape `h x n`.

    Returns:
        `log p(y_t | y_<t)` under the bank's mixture. Shape `n`; their sum is the bank's log evidence.
    """
    cumulative = torch.cat([torch.zeros_like(log_steps[:, :1]), log_steps.cumsum(1)], dim=1)
    joint = torch.logsumexp(log_prior[:, None] + cumulative, dim=0)
    return joint[1:] - joint[:-1]


def search_weights(log_prior: Tensor, steps: Tensor, no_transfer: int | None) -> Tensor:
    """Return search weights after fixed share and the floor.

    Args:
        log_prior: Log prior weight of the hypotheses. Shape `k`.
        steps: One-step log densities. Shape `k x n`, in order of ingestion.
        no_transfer: Index of the no-transfer hypothesis, or None where there is none.

    Returns:
        Weights. Shape `k`; they sum to one.
    """
    prior = torch.softmax(log_prior, dim=0)
    weights = prior
    for t in range(steps.shape[1]):  # a recursion over time, k numbers a step
        shared = (1 - FIXED_SHARE) * weights + FIXED_SHARE * prior
        weights = torch.softmax(shared.log() + steps[:, t], dim=0)
    if no_transfer is None or len(weights) == 1 or weights[no_transfer] >= FLOOR:
        return weights
    others = weights.clone()
    others[no_transfer] = 0
    floored = (1 - FLOOR) * others / others.sum()
    floored[no_transfer] = FLOOR
    return floored


def e_value(log_prior: Tensor, log_evidence: Tensor, no_transfer: int | None) -> float:
    """Return `p_no_transfer / p_transfer` over all measurements; 20 or more says that experience does not fit.

    Args:
        log_prior: Log prior weight of the hypotheses. Shape `k`.
        log_evidence: Log evidence of the hypotheses. Shape `k`.
        no_transfer: Index of the no-transfer hypothesis.
    """
    if no_transfer is None or len(log_prior) < 2:
        return 1.0
    return math.exp(min(log_e_value(log_prior, log_evidence, no_transfer), 700.0))


def log_e_value(log_prior: Tensor, log_evidence: Tensor, no_transfer: int) -> float:
    """Return the logarithm of `e_value`, where there are other hypotheses beside no transfer."""
    others = torch.arange(len(log_prior), device=log_prior.device) != no_transfer
    transfer = torch.logsumexp(torch.log_softmax(log_prior[others], 0) + log_evidence[others], dim=0)
    return float(log_evidence[no_transfer] - transfer)


def representatives(log_weight: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Choose `n` members to stand for all: heavy ones with their own weight, the light ones by a stratified sample.

    Keeping the heaviest alone would be arbitrary where weights are equal, as they are before the first measurement:
    a simulator's members that know the shape would all be left out, or all those that doubt it. Nothing is random.

    Args:
        log_weight: Log weights of the members; normalized. Shape `h`, with `h > n`.
        n: How many are kept.

    Returns:
        Indices and log weights, shape `n`; the weights sum to one.

    Source:
        Fearnhead and Clifford (2003), On-line inference for hidden Markov models via particle filters, section 4;
        departures: positions within the strata follow the golden ratio, so that a seed has no say.
    """
    weight, order = log_weight.exp().sort(descending=True, stable=True)
    tail = weight.flip(0).cumsum(0).flip(0)[:n]  # of all members from the k-th on
    left = torch.arange(n, 0, -1, dtype=weight.dtype, device=weight.device)
    n_heavy = int((weight[:n] > tail / left).long().cumprod(0).sum())  # heavier than an equal share of what is left
    if n_heavy == n:
        return order[:n], torch.log_softmax(log_weight[order[:n]], dim=0)
    light = order[n_heavy:].sort().values
    stratum = torch.arange(n - n_heavy, dtype=weight.dtype, device=weight.device)
    position = (stratum + (stratum + 0.5) * GOLDEN % 1) / (n - n_heavy)
    cumulative = log_weight[light].softmax(0).cumsum(0)
    chosen = light[torch.searchsorted(cumulative, position).clamp_max(len(light) - 1)]
    share = torch.logsumexp(log_weight[light], dim=0) - math.log(n - n_heavy)
    kept = torch.cat([log_weight[order[:n_heavy]], share.expand(n - n_heavy)])
    return torch.cat([order[:n_heavy], chosen]), torch.log_softmax(kept, dim=0)


def quantiles(log_weight: Tensor, value: Tensor, levels: Sequence[float]) -> Tensor:
    """Return the members at some quantiles of a value.

    Args:
        log_weight: Log weights of the members; normalized. Shape `h`.
        value: What they are ordered by. Shape `h`.
        levels: Levels in (0, 1). Length `k`.

    Returns:
        Indices. Shape `k`.
    """
    order = value.argsort(stable=True)
    cumulative = log_weight[order].exp().cumsum(0)
    wanted = torch.as_tensor(levels, dtype=cumulative.dtype, device=cumulative.device) * cumulative[-1]
    return order[torch.searchsorted(cumulative, wanted).clamp_max(len(order) - 1)]
