"""Slices: how a Gaussian on a bent axis is told in raw units.

A warped member's prediction is not Gaussian in raw units. So its standardized Gaussian is cut into narrower ones, and
each is mapped by the reading's tangent. Plain readings are mapped exactly and need one slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.meta.reading import Reading

CENTERS = (-1.7, -0.85, 0.0, 0.85, 1.7)  # where a standard Gaussian is cut; narrow slices of equal width stand there


def cut() -> tuple[Tensor, float, Tensor]:
    """Return centers, the width and log weights of Gaussian slices with mean zero and variance one together."""
    centers = torch.tensor(CENTERS, dtype=torch.float64)
    weights = torch.softmax(-0.5 * centers.square(), dim=0)
    width = float((1 - weights @ centers.square()).sqrt())
    return centers, width, weights.log()


@dataclass(frozen=True)
class Slices:
    """The slices that tell members with a reading each.

    Attributes:
        owner: Member that each slice belongs to. Shape `h'`; integer.
        first: First slice of every member. Shape `h`; integer.
        shift: Where a slice stands, in standard deviations of its member. Shape `h'`.
        width: Its standard deviation in those of its member. Shape `h'`.
        log_share: Its log share of its member's weight. Shape `h'`.
        reading: The reading of its member. Shape `h'`.
    """

    owner: Tensor
    first: Tensor
    shift: Tensor
    width: Tensor
    log_share: Tensor
    reading: Reading

    @classmethod
    def of(cls, reading: Reading) -> Slices:
        """Cut the members with these readings, shape `h`: warped ones into several slices, others into one."""
        centers, width, log_share = cut()
        is_warped = reading.sign != 0
        device = is_warped.device
        counts = torch.where(is_warped, len(centers), 1)
        owner = torch.repeat_interleave(torch.arange(len(counts), device=device), counts)
        first = counts.cumsum(0) - counts
        position = torch.arange(len(owner), device=device) - first[owner]
        warped, zero = is_warped[owner], torch.zeros(len(owner), dtype=torch.float64, device=device)
        return cls(
            owner=owner,
            first=first,
            shift=torch.where(warped, centers.to(device)[position], zero),
            width=torch.where(warped, zero + width, zero + 1),
            log_share=torch.where(warped, log_share.to(device)[position], zero),
            reading=reading[owner],
        )

    def raw(self, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        """Tell members' Gaussians in raw units.

        Args:
            mean: Standardized. Shape `* x h x n`.
            sd: Standardized. Same shape.

        Returns:
            Means, and raw units per standardized unit of the member there (`width` included). Shape `* x h' x n` each.
        """
        z = mean[..., self.owner, :] + self.shift[:, None] * sd[..., self.owner, :]
        raw, slope = self.reading.told(z)
        return raw, slope * self.width[:, None]

    def spread(self, log_weight: Tensor) -> Tensor:
        """Spread log weights of the members over their slices. Shape `* x h` to `* x h'`."""
        return log_weight[..., self.owner] + self.log_share
