"""Experiments that tell hypotheses apart: the expected information on which hypothesis is true.

`I(hypothesis; outcome at x)` is the entropy of the belief's predictive mixture minus the weighted entropies of the
hypotheses' own mixtures, in nats. It is computed as the weighted sum of divergences of the hypotheses from the mixture,
which is never negative, by quadrature over a fixed grid per configuration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from discovery.acquisition.gaussians import LEAST, LOG_SQRT_2PI, Mixture

REACH = 7.0  # standard deviations that the grid reaches beyond the outermost members
SPACING = 0.75  # of the narrowest member: the trapezoidal rule is then exact to six digits and more
GRID = (65, 769)  # fewest and most nodes
NUMBERS = 4_000_000  # numbers held at once
SILENT = -20.0  # log weight below which members do not shape the grid
TRIFLE = 1e-3  # nats: information that is not worth an experiment; below it improvement decides


def information(at: Mixture, sizes: Sequence[int]) -> Tensor:
    """Return the information that the next outcome is expected to bring on which hypothesis is true.

    Args:
        at: Mixture of the next measured outcome, hypothesis after hypothesis.
        sizes: Number of members of every hypothesis. Length `k`.

    Returns:
        Every hypothesis's part, nats: its weight times its divergence from the mixture. Shape `[f x] n x k`.

    Source:
        Lindley (1956), On a measure of the information provided by an experiment; Hunter and Reiner (1965) for rival
        models; departures: none. Quadrature: Trefethen and Weideman (2014), The exponentially convergent trapezoidal
        rule.
    """
    low, high, n_nodes = _grid(at)
    n_chunk = max(1, NUMBERS // (n_nodes * at.mean.shape[-1] * (at.mean.shape[0] if at.mean.ndim == 3 else 1)))
    rows = zip(*(part.split(n_chunk, dim=-2) for part in (at.mean, at.sd, low, high)), strict=True)
    parts = [_divergences(Mixture(m, s, at.log_weight), lo, hi, n_nodes, sizes) for m, s, lo, hi in rows]
    return torch.cat(parts, dim=-2)


@torch.no_grad()
def _grid(at: Mixture) -> tuple[Tensor, Tensor, int]:
    """Return where the grids begin and end, shape `[f x] n x 1`, and how many nodes they need."""
    counts = (at.log_weight > SILENT).expand_as(at.mean)
    low = torch.where(counts, at.mean - REACH * at.sd, torch.inf).amin(-1, keepdim=True)
    high = torch.where(counts, at.mean + REACH * at.sd, -torch.inf).amax(-1, keepdim=True)
    narrowest = torch.where(counts, at.sd, torch.inf).amin(-1, keepdim=True)
    needed = math.ceil(float(((high - low) / (SPACING * narrowest)).max())) + 1
    return low, high, min(max(needed, GRID[0]), GRID[1])


def _divergences(at: Mixture, low: Tensor, high: Tensor, n_nodes: int, sizes: Sequence[int]) -> Tensor:
    """Return weight times divergence of every hypothesis. Shape `[f x] n x k`."""
    unit = torch.linspace(-0.5, 0.5, n_nodes, dtype=at.mean.dtype, device=at.mean.device)
    y = (high - low) * unit  # [f x] n x j, from the middle of the grid, where squares lose fewest digits
    mean, precision = at.mean - (high + low) / 2, at.sd.square().reciprocal()
    level = at.log_weight - at.sd.log() - LOG_SQRT_2PI - 0.5 * mean.square() * precision
    powers = torch.stack([torch.ones_like(y), y, y.square()], dim=-1)
    heights = torch.exp(powers @ torch.stack([level, mean * precision, -0.5 * precision], dim=-2))  # [f x] n x j x H
    belongs = torch.block_diag(*(y.new_ones(size, 1) for size in sizes))
    of_each = heights @ belongs  # [f x] n x j x k
    weight = at.log_weight.split(list(sizes), dim=-1)
    log_prior = torch.stack([torch.logsumexp(part, dim=-1) for part in weight], dim=-1)
    log_prior = log_prior if log_prior.ndim == 1 else log_prior[..., None, :]
    surprise = of_each.clamp_min(LEAST).log() - of_each.sum(-1, keepdim=True).clamp_min(LEAST).log() - log_prior
    step = (high - low) / (n_nodes - 1)
    return (of_each * surprise).sum(-2) * step


def trade(log_value: Tensor, nats: Tensor, discrimination: float) -> Tensor:
    """Trade improvement against information: `(1 - d) log(improvement) + d log(information)`.

    Geometric, so neither the outcome's unit nor the scale of either quantity has a say: with `d` at 0.5 an experiment
    with twice the improvement and half of the information is worth as much. Information below `TRIFLE` counts as that
    much, so once hypotheses are told apart the improvement alone decides, whatever the knob says.

    Args:
        log_value: Log acquisition values; not used at 1. Shape `n`.
        nats: Expected information. Shape `n`.
        discrimination: The knob, within (0, 1].

    Returns:
        Shape `n`.
    """
    told = discrimination * torch.log(nats.clamp_min(0.0) + TRIFLE)
    return told if discrimination == 1 else (1 - discrimination) * log_value + told
