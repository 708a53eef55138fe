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
MOST_SHARED = 0.9  # of the signal's variance may be main effects


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
    n_blocks, n_components = geometry.n_blocks, geometry.components.n_components
    width = min(5 + n_blocks + n_components, 1000)
    engine = torch.quasirandom.SobolEngine(width, scramble=True, seed=20)
    uniform = engine.draw(n_members, dtype=torch.float64).clamp(1e-3, 1 - 1e-3).to(device)
    normal = math.sqrt(2) * torch.erfinv(2 * uniform - 1)
    own = normal[:, 5 : 5 + n_blocks] if width < 1000 else normal[:, 4:5].expand(-1, n_blocks)
    log_lengthscale = lengthscale_location(n_blocks) + 0.5 * normal[:, 4:5] + 0.6 * own
    total = (0.55 * normal[:, 0] + math.log(0.9)).exp()
    share = (MOST_SHARED * uniform[:, 3]) if n_components else torch.zeros_like(total)
    split = torch.softmax(0.8 * normal[:, width - n_components :], dim=1)  # of the shared part over the components
    return plain_members(
        geometry,
        log_lengthscale.exp(),
        component_sd=total[:, None] * (share[:, None] * split).sqrt(),
        signal=total * (1 - share).sqrt(),
        noise=(0.9 * normal[:, 1] + math.log(0.15)).exp().clamp(0.01, 2.0),
        offset_sd=(0.4 * normal[:, 2]).exp(),
    )
