"""Features of a hypothesis: posterior means of source tasks, evaluated anywhere in the space.

Each source is an exact GP on its own measurements; its posterior mean `f_j(x) = c_j + k_j(x, X_j) a_j` is one column.
For a simulator the "sources" are the mean and the leading variations of its simulated tasks, smoothed the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from discovery.meta.kernels import matern52, squared_distance
from discovery.tasks.lift import Lift

CHUNK_NUMBERS = {"cpu": 2**17, "cuda": 2**25}  # j x rows x n at once: stays in a core's cache, or fills a GPU


@dataclass(frozen=True)
class SourceFeatures:
    """Posterior means of `j` sources, in standardized outcome units.

    Attributes:
        X: Source configurations, padded. Shape `j x n x d`, or `j x n x D` where history is wider than the campaign.
        dual: Dual coefficients `a` (signal variance included); zero where padded. Shape `j x n`.
        inverse_lengthscale: Factor per column. Shape `j x d`.
        constant: Constant `c` per source. Shape `j`.
        lift: Takes the campaign's configurations to those of the sources; None where both have the same columns.
    """

    X: Tensor
    dual: Tensor
    inverse_lengthscale: Tensor
    constant: Tensor
    lift: Lift | None = None

    @property
    def n_features(self) -> int:
        """Number of features `j`."""
        return int(self.constant.shape[0])

    @property
    def n_pooled(self) -> int:
        """How many of them no measurement changes, so that a pool may carry them."""
        return self.n_features

    def tensors(self) -> dict[str, Tensor]:
        """Return all numbers by name, for a checkpoint."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "lift"}
        lift = {} if self.lift is None else {f"lift.{f.name}": getattr(self.lift, f.name) for f in fields(Lift)}
        return own | lift

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> SourceFeatures:
        """Rebuild the features from what `tensors` gave."""
        lift = {f.name: tensors[name] for f in fields(Lift) if (name := f"lift.{f.name}") in tensors}
        own = {f.name: tensors[f.name] for f in fields(cls) if f.name != "lift"}
        return cls(**own, lift=Lift(**lift) if lift else None)

    def __call__(self, X: Tensor) -> Tensor:
        """Evaluate all features.

        Args:
            X: Encoded configurations. Shape `* x d`; unit cube.

        Returns:
            Feature values. Shape `* x j`; differentiable in X.
        """
        if self.n_features == 0:
            return X.new_zeros(*X.shape[:-1], 0)
        rows = X.reshape(-1, X.shape[-1])
        rows = rows if self.lift is None else self.lift(rows)
        per_row = self.X.shape[0] * self.X.shape[1]
        chunk = max(1, CHUNK_NUMBERS.get(rows.device.type, 2**17) // per_row)
        values = torch.cat([self._rows(part) for part in rows.split(chunk)])
        return values.reshape(*X.shape[:-1], self.n_features)

    def _rows(self, rows: Tensor) -> Tensor:
        scale = self.inverse_lengthscale[:, None, :]
        K = matern52(squared_distance(rows * scale, self.X * scale))  # j x rows x n
        return (self.constant[:, None] + (K @ self.dual[..., None])[..., 0]).T

    @classmethod
    def empty(cls, n_dims: int, device: torch.device | str = "cpu") -> SourceFeatures:
        """Return no features at all, for hypotheses that have none."""
        zeros = torch.zeros(0, 1, n_dims, dtype=torch.float64, device=device)
        return cls(zeros, zeros[..., 0], zeros[:, 0], zeros[:, 0, 0])
