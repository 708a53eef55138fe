"""How encoded columns form blocks, for the Matern kernel that every member has of its own.

A categorical block counts as one dimension: one-hot columns are scaled so that two different levels lie at distance
one, descriptor columns so that the block's largest distance is about one. Each block has one lengthscale. Fingerprint
blocks are not part of it: `discovery.meta.components` compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from discovery.meta.components import MOLECULE, Components

if TYPE_CHECKING:
    from discovery.space import AlignedSpace, Block, SearchSpace

DESCRIBED = ("categorical", "composition")
"""Kinds of blocks whose columns together say how alike two values are; no column is bent."""


@dataclass(frozen=True)
class Geometry:
    """How the smooth columns (all but fingerprints) form blocks.

    Attributes:
        column_scale: Factor that brings each column to its block's unit distance. Shape `d'`.
        block_of_column: Index of each column's block. Shape `d'`; integer.
        is_numeric: True for columns that hold a number which a warp may bend. Shape `d'`.
        n_blocks: Number of blocks.
        components: What all members share.
    """

    column_scale: Tensor
    block_of_column: Tensor
    is_numeric: Tensor
    n_blocks: int
    components: Components

    @classmethod
    def of(cls, space: SearchSpace | AlignedSpace, device: torch.device | str = "cpu") -> Geometry:
        """Read the blocks of a space."""
        scale, index, numeric = [], [], []
        blocks = [block for block in space.blocks if block.kind != MOLECULE]
        for i, block in enumerate(blocks):
            width = block.stop - block.start
            scale += [_column_scale(block)] * width
            index += [i] * width
            numeric += [block.kind not in DESCRIBED] * width
        return cls(
            column_scale=torch.tensor(scale, dtype=torch.float64, device=device),
            block_of_column=torch.tensor(index, dtype=torch.long, device=device),
            is_numeric=torch.tensor(numeric, dtype=torch.bool, device=device),
            n_blocks=len(blocks),
            components=Components.of(space, device),
        )

    def columns(self, per_block: Tensor) -> Tensor:
        """Spread values per block over the columns. Shape `* x n_blocks` to `* x d'`."""
        return per_block[..., self.block_of_column]

    def inverse_lengthscales(self, lengthscales: Tensor) -> Tensor:
        """Turn lengthscales per block into factors per column. Shape `* x n_blocks` to `* x d'`."""
        return self.column_scale / self.columns(lengthscales)


def _column_scale(block: Block) -> float:
    return (0.5 if block.is_one_hot else 1 / (block.stop - block.start)) ** 0.5


@dataclass(frozen=True)
class OwnBlocks:
    """The blocks of a campaign's own space among those of the wider space of its history.

    Attributes:
        geometry: The own blocks.
        index: Block of the wider space that holds each own block. Shape `n_blocks`; integer.
        factor: Own lengthscale per lengthscale of that block. Shape `n_blocks`.
    """

    geometry: Geometry
    index: Tensor
    factor: Tensor

    @classmethod
    def of(cls, space: AlignedSpace, device: torch.device | str = "cpu") -> OwnBlocks:
        """Find the own blocks in an aligned space."""
        starts = [block.start for block in space.blocks if block.kind != MOLECULE]
        own = [block for block in space.own.blocks if block.kind != MOLECULE]
        wider = [space.block_at(block.start) for block in own]
        factor = [_column_scale(a) / _column_scale(b) for a, b in zip(own, wider, strict=True)]
        return cls(
            geometry=Geometry.of(space.own, device),
            index=torch.tensor([starts.index(block.start) for block in wider], dtype=torch.long, device=device),
            factor=torch.tensor(factor, dtype=torch.float64, device=device),
        )

    def lengthscales(self, wider: Tensor) -> Tensor:
        """Pick the own lengthscales out of those of the wider space. Shape `* x n` to `* x n_blocks`."""
        return wider[..., self.index] * self.factor
