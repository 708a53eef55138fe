"""Wild values: a measurement that everything else speaks against, and members that let it count for less.

A robust member is told that some measurements may be anything: their noise is widened. It has a small prior weight and
the same evidence as any other, so that one wild value neither kills all good members nor is dropped: if it is right
after all, the members that believe it have the weight. Which measurements are doubtful is found by the no-transfer
bank; where none is, nothing changes.

Source:
    Box and Tiao (1968), A Bayesian approach to some outlier problems. Departures: only the likeliest sets of outliers
    are kept, found one by one from closed-form changes of the evidence.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from discovery.meta.members import Members
from discovery.meta.reading import Reading
from discovery.meta.rows import Rows

PRIOR = 2e-3  # probability that a measurement is wild, before it is looked at
WIDE = 10.0  # variance of a wild value around the truth, in prior variances of the outcome
FEWEST = 6  # measurements below which nobody can say what is wild
SHARE = 0.1  # of the measurements may be doubtful at most


def with_doubt(rows: Rows, doubtful: Tensor | None) -> Rows:
    """Return members that believe every measurement and, lighter, those that take the doubtful ones for anything.

    Args:
        rows: Members and measurements.
        doubtful: Shape `n`, bool; the same members are returned where it is None or nothing is doubtful.
    """
    if doubtful is None or not bool(doubtful.any()):
        return rows
    h, wild = rows.members.n_members, PRIOR ** int(doubtful.sum())
    twice = torch.arange(h, device=doubtful.device).repeat(2)
    share = rows.members.log_prior.new_tensor([math.log1p(-wild), math.log(wild)]).repeat_interleave(h)
    every = rows.members[twice]
    widening = doubtful.to(share.dtype) * _width(rows.members)[:, None]
    return replace(
        rows,
        members=replace(every, log_prior=every.log_prior + share),
        effects=None if rows.effects is None else rows.effects[twice],
        widening=torch.cat([torch.zeros_like(widening), widening]),
    )


def find_doubtful(rows: Rows, reading: Reading, n_anchoring: int) -> Tensor:
    """Find measurements that are more likely wild than not.

    One more widened noise changes a member's evidence in closed form; the likeliest measurement is taken, and the rest
    is looked at again without it.

    Args:
        rows: Members and measurements; bounds are left out.
        reading: Readings of the outcome. Shape `k`.
        n_anchoring: Measurements that fix the scale; they are never doubted.

    Returns:
        Shape `n`, bool.
    """
    found = torch.zeros_like(rows.support.y, dtype=torch.bool)
    some = torch.nonzero(rows.side == 0)[:, 0]
    if len(some) < FEWEST:
        return found
    z, log_slope = reading.read(rows.support.y)
    mean, covariance = rows.prior()
    prior = reading.log_prior[:, None] + rows.members.log_prior
    residual = (z[:, None, :] - mean)[..., some]  # k x h x m
    K = covariance[:, some[:, None], some] + torch.diag_embed(
        rows.members.noise.square()[:, None].expand(-1, len(some))
    )
    width = _width(rows.members)
    jacobian = log_slope[:, some].sum(-1)[:, None]
    for _ in range(math.ceil(SHARE * len(some))):
        evidence, gain = _gains(K, residual, width)
        weight = torch.log_softmax((prior + jacobian + evidence).flatten(), dim=0)
        odds = torch.logsumexp(weight[:, None] + gain.flatten(0, 1), dim=0) + math.log(PRIOR / (1 - PRIOR))
        odds[(some < n_anchoring) | found[some]] = -math.inf
        worst = int(odds.argmax())
        if float(odds[worst]) <= 0:
            break
        found[some[worst]] = True
        K[:, worst, worst] += width
    return found


def _width(members: Members) -> Tensor:
    """Variance that widens a wild value. Shape `h`."""
    return WIDE * (members.prior_variance + members.noise.square())


def _gains(K: Tensor, residual: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Log evidence, `k x h`, and what it gains where one measurement is widened, `k x h x m`."""
    factor = torch.linalg.cholesky(K + 1e-9 * torch.diag_embed(torch.diagonal(K, dim1=-2, dim2=-1)))
    inverse = torch.cholesky_inverse(factor)
    solved = (inverse @ residual[..., None])[..., 0]
    evidence = -0.5 * (residual * solved).sum(-1) - torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)
    grown = 1 + width[:, None] * torch.diagonal(inverse, dim1=-2, dim2=-1)  # h x m
    return evidence, 0.5 * (width[:, None] * solved.square() / grown - grown.log())
