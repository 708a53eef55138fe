"""The covariance that every member uses: Matern-5/2 over block-scaled, optionally warped inputs.

A categorical block counts as one dimension: one-hot columns are scaled so that two different levels lie at distance
one, descriptor columns so that the block's largest distance is about one. Each block has one lengthscale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

SQRT5 = 5.0**0.5


@dataclass(frozen=True)
class Geometry:
    """How encoded columns form blocks.

    Attributes:
        column_scale: Factor that brings each column to its block's unit distance. Shape `d`.
        block_of_column: Index of each column's block. Shape `d`; integer.
        is_numeric: True for columns that hold a number which a warp may bend. Shape `d`.
        n_blocks: Number of blocks.
    """

    column_scale: Tensor
    block_of_column: Tensor
    is_numeric: Tensor
    n_blocks: int

    @classmethod
    def of(cls, space: SearchSpace, device: torch.device | str = "cpu") -> Geometry:
        """Read the blocks of a space."""
        scale, index, numeric = [], [], []
        for i, block in enumerate(space.blocks):
            width = block.stop - block.start
            scale += [0.5**0.5 if block.is_one_hot else width**-0.5] * width
            index += [i] * width
            numeric += [block.kind != "categorical"] * width
        return cls(
            column_scale=torch.tensor(scale, dtype=torch.float64, device=device),
            block_of_column=torch.tensor(index, device=device),
            is_numeric=torch.tensor(numeric, device=device),
            n_blocks=len(space.blocks),
        )

    def columns(self, per_block: Tensor) -> Tensor:
        """Spread values per block over the columns. Shape `* x n_blocks` to `* x d`."""
        return per_block[..., self.block_of_column]

    def inverse_lengthscales(self, lengthscales: Tensor) -> Tensor:
        """Turn lengthscales per block into factors per column. Shape `* x n_blocks` to `* x d`."""
        return self.column_scale / self.columns(lengthscales)


def kumaraswamy(X: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Bend the unit interval: `1 - (1 - x^a)^b`; `a = b = 1` leaves it as it is.

    Source:
        Snoek et al. (2014), Input warping; Kumaraswamy's CDF in place of the beta CDF.
    """
    eps = 1e-7
    return 1 - (1 - X.clamp(eps, 1 - eps) ** a).clamp_min(eps) ** b


def squared_distance(A: Tensor, B: Tensor) -> Tensor:
    """Return squared Euclidean distances. Shapes `* x n x d`, `* x m x d` to `* x n x m`."""
    squares = A.square().sum(-1)[..., :, None] + B.square().sum(-1)[..., None, :]
    cross = A @ B.transpose(-1, -2)
    if cross.requires_grad or cross.shape != squares.shape:
        return (squares - 2 * cross).clamp_min(0)
    return squares.sub_(cross, alpha=2).clamp_min_(0)


def matern52(squared: Tensor) -> Tensor:
    """Return the Matern-5/2 correlation of squared scaled distances."""
    if squared.requires_grad:
        r = SQRT5 * (squared + 1e-20).sqrt()
        return (1 + r + r.square() / 3) * torch.exp(-r)
    r = squared.mul(5.0).sqrt_()  # the same in three passes: pools of thousands are scored with it
    polynomial = torch.addcmul(r + 1, r, r, value=1 / 3)
    return r.neg_().exp_().mul_(polynomial)
