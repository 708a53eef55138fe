"""Quasi-random designs: where the members of a bank stand in the space of their hyperparameters.

A design covers that space evenly and is the same for every campaign, so that nothing about a bank is left to chance.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

OUTERMOST = 1e-3  # probability beyond the outermost members: about three standard deviations


def uniform_design(n_members: int, width: int, seed: int, device: torch.device | str = "cpu") -> Tensor:
    """Return quasi-random numbers between zero and one, both excluded.

    Args:
        n_members: Number of members `h`; a power of two keeps the design balanced.
        width: Number of coordinates.
        seed: Seed of the scrambling.
        device: Where they live.

    Returns:
        Shape `h x width`.

    Source:
        Sobol' (1967), with Owen's scrambling.
    """
    engine = torch.quasirandom.SobolEngine(width, scramble=True, seed=seed)
    return engine.draw(n_members, dtype=torch.float64).clamp(OUTERMOST, 1 - OUTERMOST).to(device)


def normal_quantiles(uniform: Tensor) -> Tensor:
    """Turn uniform numbers into standard normal ones, shape kept."""
    return math.sqrt(2) * torch.erfinv(2 * uniform - 1)
