"""What the in-context network sees of a space and of measurements: distances per parameter, never raw coordinates.

A network that is to work on every space cannot know its columns. It sees how far two configurations lie apart in each
parameter (levels of a category are one apart), the number itself where a parameter is numeric, and the outcomes in a
unit of their own. Next in the tour: `discovery.meta.in_context_network`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from discovery.meta.components import MOLECULE
from discovery.meta.geometry import DESCRIBED
from discovery.meta.kernels import squared_distance, tanimoto

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

NUMERIC, ONE_HOT, DESCRIPTORS, FINGERPRINT = range(4)
N_KINDS = 3  # that the network tells apart
PSEUDO_POINTS = 1.0  # weight of the stated location and scale among the measurements
TIE = 1e-4  # outcomes nearer than this, in their own unit, read as the same number
N_ROW_FEATURES, N_TASK_FEATURES, N_NUMBER_FEATURES = 8, 10, 4


@dataclass(frozen=True)
class Layout:
    """How encoded columns belong to parameters ("blocks").

    Attributes:
        kinds: `NUMERIC`, `ONE_HOT`, `DESCRIPTORS` or `FINGERPRINT` per block.
        starts: First column of every block, and one past the last column. One longer than `kinds`.
        kind: What the network is told of every block: fingerprints pass as descriptors. Shape `p`.
    """

    kinds: tuple[int, ...]
    starts: tuple[int, ...]
    kind: Tensor

    @classmethod
    def make(cls, kinds: Sequence[int], starts: Sequence[int], device: torch.device | str = "cpu") -> Layout:
        """Build a layout; see the attributes."""
        told = [DESCRIPTORS if kind == FINGERPRINT else kind for kind in kinds]
        return cls(tuple(kinds), tuple(starts), torch.tensor(told, device=device))

    @classmethod
    def of(cls, space: SearchSpace, device: torch.device | str = "cpu") -> Layout:
        """Read the blocks of a space."""
        kinds = []
        for block in space.blocks:
            listed = ONE_HOT if block.is_one_hot else DESCRIPTORS
            kinds.append(FINGERPRINT if block.kind == MOLECULE else listed if block.kind in DESCRIBED else NUMERIC)
        return cls.make(kinds, [block.start for block in space.blocks] + [space.n_dims], device)

    def squared_distances(self, A: Tensor, B: Tensor) -> Tensor:
        """Return squared distances in every parameter. Shapes `* x n x d`, `* x m x d` to `* x n x m x p`."""
        A, B, parts = A.to(torch.float32), B.to(torch.float32), []
        for kind, start, stop in zip(self.kinds, self.starts, self.starts[1:], strict=False):
            a, b = A[..., start:stop], B[..., start:stop]
            if kind == FINGERPRINT:
                parts.append(1 - tanimoto(a, b))
            elif stop - start == 1:
                parts.append((a - b.transpose(-1, -2)).square() * (0.5 if kind == ONE_HOT else 1.0))
            else:
                parts.append(squared_distance(a, b) * (0.5 if kind == ONE_HOT else 1 / (stop - start)))
        return torch.stack(parts, dim=-1)

    def columns(self, per_block: Tensor) -> Tensor:
        """Spread values per block over the columns. Shape `* x p` to `* x d`."""
        widths = torch.tensor(self.starts).diff()
        return per_block.repeat_interleave(widths.to(per_block.device), dim=-1)

    def numbers(self, X: Tensor) -> Tensor:
        """Return the number of every numeric parameter, centered; zero elsewhere. Shape `* x n x d` to `* x n x p`."""
        return (X.to(torch.float32)[..., list(self.starts[:-1])] - 0.5) * (self.kind == NUMERIC)


class Outcomes(NamedTuple):
    """Measured outcomes in a unit of their own.

    Attributes:
        u: Outcomes, about zero mean and unit spread; zero where masked. Shape `t x s`.
        location: What stands for zero, in the unit given. Shape `t x 1`.
        scale: Units given per own unit. Shape `t x 1`.
    """

    u: Tensor
    location: Tensor
    scale: Tensor


def own_unit(y: Tensor, mask: Tensor, is_known: Tensor) -> Outcomes:
    """Express outcomes by the support's own location and scale, shrunk to zero and one where those are known.

    Where they are not known the map is exactly equivariant: shifted and stretched outcomes give the same `u`.

    Args:
        y: Outcomes. Shape `t x s`.
        mask: True for real measurements. Shape `t x s`.
        is_known: Whether zero and one are the outcome's stated or historic location and scale. Shape `t`.
    """
    real = mask.to(y.dtype)
    n = real.sum(-1, keepdim=True)
    pseudo = PSEUDO_POINTS * is_known.to(y.dtype)[:, None]
    mean = (y * real).sum(-1, keepdim=True) / n.clamp_min(1)
    squares = ((y - mean).square() * real).sum(-1, keepdim=True)
    location = mean * n / (n + pseudo).clamp_min(1e-6)
    scale = ((pseudo + squares) / (n + pseudo).clamp_min(1e-6)).sqrt()
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return Outcomes((y - location) / scale * real, location, scale)


def row_features(u: Tensor, mask: Tensor) -> Tensor:
    """Describe every measured outcome among the others, whatever their order. Shape `t x s` to `t x s x 8`."""
    both = mask[:, :, None] & mask[:, None, :]
    n = mask.sum(-1, keepdim=True).clamp_min(1).to(u.dtype)
    gap = (u[:, :, None] - u[:, None, :]).abs()
    others = both & ~torch.eye(u.shape[1], dtype=torch.bool, device=u.device)
    nearest = torch.where(others, gap, 3.0).amin(-1) if u.shape[1] else u
    ties = (others & (gap < TIE)).sum(-1) / n
    rank = (both & (u[:, None, :] < u[:, :, None])).sum(-1) / n + 0.5 * ties
    low, high = _extremes(u, mask)
    features = (u, u.abs(), u.square().clamp_max(9.0) / 3, rank, (nearest + 1e-3).log() / 3, ties, u - low, high - u)
    return torch.stack(features, dim=-1) * mask[..., None]


def task_features(outcomes: Outcomes, mask: Tensor, is_known: Tensor, n_blocks: int) -> Tensor:
    """Describe a whole support. Shape `t x 10`."""
    u, known = outcomes.u, is_known.to(outcomes.u.dtype)[:, None]
    n = mask.sum(-1, keepdim=True).to(u.dtype)
    low, high = _extremes(u, mask)
    third, fourth = (u**3).sum(-1, keepdim=True) / (n + 3), (u**4).sum(-1, keepdim=True) / (n + 3)
    features = (
        known,
        (outcomes.location * known).clamp(-3, 3),
        (outcomes.scale.log() * known).clamp(-4, 4),
        (n + 1).log() / 2 - 1,
        1 / (n + 1),
        third.clamp(-4, 4) / 2,
        fourth.clamp_max(16) / 4 - 0.5,
        low,
        high,
        torch.full_like(n, float(n_blocks)).log() - 1.5,
    )
    return torch.cat(features, dim=-1)


def _extremes(u: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    if not u.shape[1]:
        zero = u.new_zeros(u.shape[0], 1)
        return zero, zero
    some = mask.any(-1, keepdim=True)
    low = torch.where(mask, u, 9.0).amin(-1, keepdim=True)
    high = torch.where(mask, u, -9.0).amax(-1, keepdim=True)
    return torch.where(some, low, 0.0), torch.where(some, high, 0.0)


def number_features(numbers: Tensor) -> Tensor:
    """Spread numbers in [-1/2, 1/2] over smooth features. Shape `*` to `* x 4`."""
    angle = math.pi * numbers
    return torch.stack([2 * numbers, 4 * numbers.square(), torch.sin(2 * angle), torch.sin(4 * angle)], dim=-1)
