"""Features of molecules: what earlier tasks say about a molecule, and how near it is to what they measured.

Each source is an exact GP on its own measurements whose kernel is the Tanimoto similarity of fragments (times a Matern
kernel where other parameters vary); its posterior mean is one column. Sources keep their fragments as bits, and a
molecule's features are computed once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from discovery.meta.features import SourceFeatures
from discovery.meta.kernels import matern52, squared_distance

CHUNK = 1024  # rows compared with one source at once
BITS = 8


def pack(fragments: Tensor) -> Tensor:
    """Pack columns that are zero or not into bytes. Shape `* x p` to `* x ceil(p / 8)`, uint8."""
    padded = torch.nn.functional.pad((fragments != 0).to(torch.uint8), (0, -fragments.shape[-1] % BITS))
    powers = 2 ** torch.arange(BITS, dtype=torch.uint8, device=fragments.device)
    return (padded.unflatten(-1, (-1, BITS)) * powers).sum(-1, dtype=torch.uint8)


def unpack(packed: Tensor, n_columns: int) -> Tensor:
    """Undo `pack`: ones and zeros. Shape `* x n_columns`, uint8."""
    shifts = torch.arange(BITS, dtype=torch.uint8, device=packed.device)
    return ((packed[..., None] >> shifts) & 1).flatten(-2)[..., :n_columns]


@dataclass(frozen=True, kw_only=True)
class MoleculeFeatures(SourceFeatures):
    """Posterior means of `j` sources on molecules, standardized, each about its own constant.

    Attributes:
        X: Packed fragments of each source's molecules, padded. Shape `j x n x ceil(p / 8)`; uint8.
        dual: Dual coefficients; zero where padded. Shape `j x n`.
        inverse_lengthscale: Factor per other column. Shape `j x o`.
        constant: Zero per source: levels of outcomes are not carried over. Shape `j`.
        lift: Takes the campaign's configurations to those of the sources; None where both have the same columns.
        n_points: Number of real points per source. Shape `j`; integer.
        value: What each fragment column holds where its fragment is there. Shape `p`; float32.
        fragments: Columns that hold fragments. Shape `p`; integer.
        plain: All other columns but descriptors. Shape `o`; integer.
        others: Their values at the sources' points. Shape `j x n x o`.
    """

    n_points: Tensor
    value: Tensor
    fragments: Tensor
    plain: Tensor
    others: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Evaluate all features; what was evaluated before is remembered.

        Args:
            X: Encoded configurations. Shape `* x d`; unit cube.

        Returns:
            Feature values. Shape `* x j`; not differentiable.
        """
        rows = X.detach().reshape(-1, X.shape[-1])
        keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows.cpu().numpy()]
        new = {key: i for i, key in enumerate(keys) if key not in self._remembered}
        if new:
            values = self.look(rows[list(new.values())])[0].cpu()
            self._remembered.update(zip(new, values, strict=True))
        found = [self._remembered[key] for key in keys]
        values = torch.stack(found) if found else torch.zeros(0, self.n_features, dtype=X.dtype)
        return values.to(X).reshape(*X.shape[:-1], self.n_features)

    @cached_property
    def _remembered(self) -> dict[bytes, Tensor]:
        """Features by digest of a configuration."""
        return {}

    def look(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Compare configurations with every source.

        Args:
            X: Encoded configurations. Shape `r x d`.

        Returns:
            Feature values, shape `r x j`, and similarity to the nearest molecule of each source, shape `r x j`.
        """
        wide = X if self.lift is None else self.lift(X)
        bits, others = wide[:, self.fragments].float(), wide[:, self.plain]
        values, nearest = X.new_zeros(len(X), self.n_features), X.new_zeros(len(X), self.n_features)
        for j, n in enumerate(self.n_points.tolist()):
            source = self._source(j, n)
            for part in torch.arange(len(X), device=X.device).split(CHUNK):
                similarity = overlap(bits[part], source).to(X.dtype)
                nearest[part, j] = similarity.max(dim=1).values
                K = correlation(similarity, others[part] * self.inverse_lengthscale[j], self._others(j, n))
                values[part, j] = K @ self.dual[j, :n]
        return values, nearest

    def _source(self, j: int, n: int) -> Tensor:
        """Return the fragments of a source. Shape `n x p`; float32."""
        return unpack(self.X[j, :n], len(self.value)) * self.value

    def _others(self, j: int, n: int) -> Tensor:
        """Return the other columns of a source, over their lengthscales. Shape `n x o`."""
        return self.others[j, :n] * self.inverse_lengthscale[j]


def correlation(similarity: Tensor, A: Tensor, B: Tensor) -> Tensor:
    """Return a source's correlations: similarity of molecules times a Matern kernel of the other columns, if any.

    Args:
        similarity: Shape `r x n`.
        A: Other columns over their lengthscales. Shape `r x o`.
        B: The same of the source. Shape `n x o`.
    """
    return similarity * matern52(squared_distance(A, B)) if A.shape[1] else similarity


def overlap(A: Tensor, B: Tensor) -> Tensor:
    """Return Tanimoto similarities of fragment sets, as `discovery.meta.kernels.tanimoto` does, in their precision."""
    cross = A @ B.T
    union = A.square().sum(1)[:, None] + B.square().sum(1) - cross
    return cross / union.clamp_min(1e-12)
