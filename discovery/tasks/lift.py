"""The way of encoded configurations into an aligned space, where a campaign and its history are compared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

if TYPE_CHECKING:
    from discovery.space import AlignedSpace

LEAST_VARIANCE = 1e-9  # of a property within a composition: keeps the square root's slope finite


@dataclass(frozen=True)
class Lift:
    """Takes the campaign's own encoding `d` to the aligned one `D`; differentiable.

    Attributes:
        position: Aligned coordinate of each own one. Shape `d`; integer.
        fill: What own configurations have in the coordinates before the composition's. Shape `D - 2p`.
        columns: Coordinates of the fractions of elements. Shape `e`; integer; none without a composition.
        low: Raw fraction at coordinate 0. Shape `e`.
        width: Raw fraction per unit of the coordinate. Shape `e`.
        properties: Properties of the elements. Shape `e x p`.
    """

    position: Tensor
    fill: Tensor
    columns: Tensor
    low: Tensor
    width: Tensor
    properties: Tensor

    @classmethod
    def of(cls, space: AlignedSpace, device: torch.device | str = "cpu") -> Lift:
        """Read an aligned space."""

        def tensor(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, device=device)

        parts = space.composition
        none = np.zeros(0)
        return cls(
            position=tensor(space.position),
            fill=tensor(space.fill),
            columns=tensor(none.astype(np.int64) if parts is None else parts.columns),
            low=tensor(none if parts is None else parts.low),
            width=tensor(none if parts is None else parts.width),
            properties=tensor(np.zeros((0, 0)) if parts is None else parts.properties),
        )

    @property
    def n_dims(self) -> int:
        """Number of aligned coordinates `D`."""
        return int(self.fill.shape[0]) + 2 * int(self.properties.shape[1])

    def to(self, device: torch.device | str) -> Lift:
        """Return the lift on a device."""
        return Lift(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def __call__(self, X: Tensor) -> Tensor:
        """Lift the campaign's own configurations.

        Args:
            X: Own encoding. Shape `* x d`.

        Returns:
            Aligned encoding. Shape `* x D`.
        """
        blank = self.fill.expand(*X.shape[:-1], -1)
        return self.complete(blank.index_copy(-1, self.position, X))

    def complete(self, X: Tensor) -> Tensor:
        """Append mean and spread of the elements' properties, weighted by fraction. Shape `* x (D - 2p)` to `* x D`."""
        if not len(self.columns):
            return X
        raw = (self.low + self.width * X[..., self.columns]).clamp_min(0.0)
        share = raw / raw.sum(-1, keepdim=True).clamp_min(1e-9)
        mean = share @ self.properties
        variance = (share @ self.properties.square() - mean.square()).clamp_min(0.0)
        return torch.cat([X, mean, (variance + LEAST_VARIANCE).sqrt()], dim=-1)


def encode_aligned(space: AlignedSpace, frame: pd.DataFrame) -> np.ndarray:
    """Encode configurations of a campaign or of its history, raw values. Shape `n x D`."""
    return Lift.of(space).complete(torch.as_tensor(space.union.encode(frame))).numpy()
