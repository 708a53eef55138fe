"""The members of the no-transfer hypothesis: no experience at all, and still the best cold start we can make.

Reads the space's blocks, and how hyperparameters of real campaigns spread (`discovery.meta.hyperprior`); the bank is
the same for every campaign on a space of that shape.
"""

from __future__ import annotations

import torch

from discovery.meta.design import normal_quantiles, uniform_design
from discovery.meta.fitting import lengthscale_location
from discovery.meta.geometry import Geometry
from discovery.meta.hyperprior import COORDINATES, shipped_hyperprior
from discovery.meta.members import Members, plain_members

N_COLD = 128  # members of the bank
MOST_SHARED = 0.9  # of the signal's variance may be main effects
DESIGN_SEED = 20
N_COORDINATES = len(COORDINATES)
WIDEST = 1000  # dimensions of the design at most


def no_transfer_members(geometry: Geometry, n_members: int = N_COLD) -> Members:
    """Return the no-transfer bank: a quasi-random design over the hyperprior that ships, the same for every campaign.

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
    width = min(N_COORDINATES + n_blocks + n_components, WIDEST)
    normal = normal_quantiles(uniform_design(n_members, width, DESIGN_SEED, device))
    z = shipped_hyperprior().coordinates(normal[:, :N_COORDINATES])
    own = normal[:, N_COORDINATES : N_COORDINATES + n_blocks]
    if width == WIDEST:  # too many parameters for a design of their own: they share one lengthscale
        own = torch.zeros(n_members, n_blocks, dtype=torch.float64, device=device)
    total = z["log_total"].exp()
    share = MOST_SHARED * torch.special.ndtr(z["share"]) if n_components else torch.zeros_like(total)
    split = torch.softmax(0.8 * normal[:, width - n_components :], dim=1)  # of the shared part over the components
    lengthscale = lengthscale_location(n_blocks) + z["log_lengthscale"][:, None] + z["log_spread"].exp()[:, None] * own
    return plain_members(
        geometry,
        lengthscale.exp(),
        component_sd=total[:, None] * (share[:, None] * split).sqrt(),
        signal=total * (1 - share).sqrt(),
        noise=z["log_noise"].exp().clamp(0.01, 2.0),
        offset_sd=z["log_offset"].exp(),
    )
