"""The members of the no-transfer hypothesis: no experience at all, and still the best cold start we can make.

Reads the space's blocks only; the bank is the same for every campaign on a space of that shape.
"""

from __future__ import annotations

import math

import torch

from discovery.meta.fitting import lengthscale_location
from discovery.meta.geometry import Geometry
from discovery.meta.members import Members, plain_members

N_COLD = 128  # members of the bank


def no_transfer_members(geometry: Geometry, n_members: int = N_COLD) -> Members:
    """Return the no-transfer bank: a quasi-random design over plausible hyperparameters, the same for every campaign.

    Evidence then averages over them instead of fitting one, which is what makes it stronger than a fitted GP at few
    measurements.

    Args:
        geometry: The space's blocks.
        n_members: Number of members; a power of two keeps the design balanced.

    Returns:
        Members without features, standardized units.
    """
    device = geometry.column_scale.device
    n_blocks = geometry.n_blocks
    engine = torch.quasirandom.SobolEngine(min(n_blocks + 3, 1000), scramble=True, seed=20)
    uniform = engine.draw(n_members, dtype=torch.float64).clamp(1e-3, 1 - 1e-3).to(device)
    normal = math.sqrt(2) * torch.erfinv(2 * uniform - 1)
    per_block = normal[:, 3:] if n_blocks + 3 <= 1000 else normal[:, :1].expand(-1, n_blocks)
    location = lengthscale_location(n_blocks)
    return plain_members(
        geometry,
        (location + 0.8 * per_block).exp(),
        signal=(0.55 * normal[:, 0] + math.log(0.9)).exp(),
        noise=(0.9 * normal[:, 1] + math.log(0.15)).exp().clamp(0.01, 2.0),
        offset_sd=(0.4 * normal[:, 2]).exp(),
    )
