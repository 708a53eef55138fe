"""Correlation functions that all members of a bank share: main effects, Tanimoto for molecules, means for mixtures.

Members differ in how much of each they hold (`Members.component_sd`), so a pool's correlations are computed once for a
whole bank. A sum of main effects is what factorial experiments mostly follow: what a good ligand is with one base is
mostly a good ligand with another, which the product of the Matern kernel alone has to learn anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from discovery.meta.kernels import matern52, squared_distance, tanimoto

if TYPE_CHECKING:
    from discovery.space import AlignedSpace, SearchSpace

MAIN_EFFECT_LENGTHSCALE = 0.5  # of a block's unit distance: nearly free levels, smooth numbers
MOST_BLOCKS = 12  # spaces with more blocks have no main effects: each would hold next to nothing
MOLECULE = "molecule"  # kind of a block of fingerprint counts


@dataclass(frozen=True)
class Components:
    """Shared correlation functions; each is one at distance zero.

    Attributes:
        factor: Factor per column and component; zero where the component does not look. Shape `c x d`.
        is_tanimoto: Whether a component compares counts. Shape `c`; boolean.
        smooth: Columns that the members' own Matern kernels see: all but fingerprints. Shape `d'`; integer.
        mixing: Linear maps to the mean properties of mixtures, one further component each. Shape `x x d x p`.
    """

    factor: Tensor
    is_tanimoto: Tensor
    smooth: Tensor
    mixing: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 0, dtype=torch.float64), kw_only=True)

    @classmethod
    def of(cls, space: SearchSpace | AlignedSpace, device: torch.device | str = "cpu") -> Components:
        """Read the components of a space: Tanimoto per molecule, main effects of the others where they are few."""
        rows, tanimoto = [], []
        plain = [block for block in space.blocks if block.kind != MOLECULE]
        for block in space.blocks:
            row = torch.zeros(space.n_dims, dtype=torch.float64)
            width = block.stop - block.start
            if block.kind == MOLECULE:
                row[block.start : block.stop] = 1.0
            elif 1 < len(plain) <= MOST_BLOCKS:  # the main effect of an only block would be the whole
                row[block.start : block.stop] = (0.5 if block.is_one_hot else 1 / width) ** 0.5
                row /= MAIN_EFFECT_LENGTHSCALE
            else:
                continue
            rows.append(row)
            tanimoto.append(block.kind == MOLECULE)
        smooth = [c for block in plain for c in range(block.start, block.stop)]
        return cls(
            factor=torch.stack(rows).to(device)
            if rows
            else torch.zeros(0, space.n_dims, dtype=torch.float64).to(device),
            is_tanimoto=torch.tensor(tanimoto, dtype=torch.bool, device=device),
            smooth=torch.tensor(smooth, dtype=torch.long, device=device),
            mixing=_mixing(space).to(device),
        )

    @property
    def n_components(self) -> int:
        """Number of components `c`."""
        return int(self.factor.shape[0] + self.mixing.shape[0])

    @cached_property
    def _columns(self) -> list[Tensor]:
        return [torch.nonzero(row)[:, 0] for row in self.factor]

    @cached_property
    def _is_all_smooth(self) -> bool:
        return len(self.smooth) == self.factor.shape[1]

    def to(self, device: torch.device | str) -> Components:
        """Return the components on a device."""
        return Components(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def smooth_columns(self, X: Tensor) -> Tensor:
        """Pick the columns that Matern kernels see. Shape `* x d` to `* x d'`."""
        return X if self._is_all_smooth else X[..., self.smooth]

    def __call__(self, A: Tensor, B: Tensor) -> Tensor:
        """Evaluate all components.

        Args:
            A: Encoded configurations. Shape `* x n x d`.
            B: Encoded configurations. Shape `* x m x d`.

        Returns:
            Correlations. Shape `c x * x n x m`.
        """
        parts = []
        for columns, row, is_tanimoto in zip(self._columns, self.factor, self.is_tanimoto.tolist(), strict=True):
            a, b = A[..., columns] * row[columns], B[..., columns] * row[columns]
            parts.append(tanimoto(a, b) if is_tanimoto else matern52(squared_distance(a, b)))
        parts += self.compared_mixtures(A, B)
        batch = torch.broadcast_shapes(A.shape[:-2], B.shape[:-2])
        return torch.stack(parts) if parts else A.new_zeros(0, *batch, A.shape[-2], B.shape[-2])

    def compared_mixtures(self, A: Tensor, B: Tensor) -> list[Tensor]:
        """Compare mixtures by their mean properties. Shapes `* x n x d`, `* x m x d` to `* x n x m` each."""
        return [matern52(squared_distance(A @ weights, B @ weights)) for weights in self.mixing]


def _mixing(space: SearchSpace | AlignedSpace) -> Tensor:
    """Return the linear map of each mixture with properties, padded to one width. Shape `x x d x p`."""
    widest = max((mix.weights.shape[1] for mix in space.mixes), default=0)
    maps = torch.zeros(len(space.mixes), space.n_dims, widest, dtype=torch.float64)
    for row, mix in zip(maps, space.mixes, strict=True):
        n = mix.weights.shape[1]
        row[torch.as_tensor(mix.dims), :n] = torch.as_tensor(mix.weights) / (n**0.5 * MAIN_EFFECT_LENGTHSCALE)
    return maps


def weighted(weights: Tensor, correlations: Tensor) -> Tensor:
    """Sum components with one set of weights per member.

    Args:
        weights: Variances. Shape `h x c`.
        correlations: What `Components` gives. Shape `c x * x (1 | h) x n x m`.

    Returns:
        Covariances. Shape `* x h x n x m`.
    """
    c, *batch, own, n, m = correlations.shape
    if own > 1:  # every member looks at other points
        return (weights.T.reshape(c, *[1] * len(batch), -1, 1, 1) * correlations).sum(0)
    total = (weights @ correlations.reshape(c, -1)).reshape(weights.shape[0], *batch, n, m)
    return total.movedim(0, -3)
