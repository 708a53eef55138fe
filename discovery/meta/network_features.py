"""What networks say after their support, as the columns that a bank's means and slopes refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.func import vmap

from discovery.meta.features import SourceFeatures
from discovery.meta.network_family import NetworkFamily, Parameters, State, bounded
from discovery.tasks.lift import Lift


@dataclass(frozen=True)
class NetworkColumns(SourceFeatures):
    """Mean and features of some pairs of network and support: `1 + k` columns each, the mean first.

    Attributes:
        family: The algorithm.
        weights: Weights of each pair's network. Leading dimension `p`.
        states: What each made of its support. Leading dimension `p`.
    """

    family: NetworkFamily = None  # type: ignore[assignment]  # follows fields with defaults; always given
    weights: Parameters = None  # type: ignore[assignment]
    states: State = None  # type: ignore[assignment]

    @classmethod
    def of(cls, family: NetworkFamily, weights: Parameters, states: State, lift: Lift | None) -> NetworkColumns:
        """Wrap networks and states, leading dimension `p` each."""
        none = next(iter(weights.values())).new_zeros(0)
        return cls(none, none, none, none, lift, family, weights, states)

    @property
    def n_features(self) -> int:
        """Columns in all."""
        n_pairs = len(next(iter(self.weights.values())))
        return n_pairs * (1 + self.family.n_features)

    @property
    def n_pooled(self) -> int:
        """None: what networks say depends on what they have read."""
        return 0

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: a checkpoint holds networks, never what they made of a campaign."""
        return {}

    def __call__(self, X: Tensor) -> Tensor:
        """Evaluate all columns. Shape `* x d` to `* x p (1 + k)`; differentiable in X."""
        rows = X.reshape(-1, X.shape[-1])
        if not len(rows):  # no code of a family sees a dimension of zero
            return X.new_zeros(*X.shape[:-1], self.n_features)
        rows = (rows if self.lift is None else self.lift(rows)).float()
        told = bounded(vmap(self.family.tell, in_dims=(0, 0, None))(self.weights, self.states, rows))
        columns = torch.cat([told.mean[..., None], told.features], dim=-1)  # p x N x (1 + k)
        return columns.movedim(0, -2).reshape(*X.shape[:-1], self.n_features).to(X.dtype)


def lift_tensors(lift: Lift | None) -> dict[str, Tensor]:
    """Return a lift's numbers by name, for a checkpoint; none without."""
    return {} if lift is None else {f"lift.{f.name}": getattr(lift, f.name) for f in fields(Lift)}


def lift_from(tensors: Mapping[str, Tensor]) -> Lift | None:
    """Rebuild a lift from what `lift_tensors` gave."""
    found = {f.name: tensors[f"lift.{f.name}"] for f in fields(Lift) if f"lift.{f.name}" in tensors}
    return Lift(**found) if found else None
