"""Configurations on their way from a draw to points, and what may move at one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discovery.space.polytope import EncodedConstraint


@dataclass(frozen=True, eq=False)
class Rows:
    """Configurations on their way; `k` continuous numbers, `l` lists, `p` inequalities.

    Attributes:
        codes: Positions in the lists. Shape `n x l`.
        U: Shares of the bounds. Shape `n x k`.
        low: Lowest share of each; equal to `high` where it is held at zero. Shape `n x k`.
        high: Highest share of each. Shape `n x k`.
        b: What is left of the right-hand sides of inequalities. Shape `n x p`.
        P: Projections onto the directions along which equalities stay as they are. Shape `n x k x k`.
    """

    codes: np.ndarray
    U: np.ndarray
    low: np.ndarray
    high: np.ndarray
    b: np.ndarray
    P: np.ndarray

    def __len__(self) -> int:
        return len(self.U)

    @property
    def _parts(self) -> tuple[np.ndarray, ...]:
        return self.codes, self.U, self.low, self.high, self.b, self.P

    def at(self, places: np.ndarray) -> Rows:
        """Return some of them. `places` is a mask or positions."""
        return Rows(*(part[places] for part in self._parts))

    def where(self, mask: np.ndarray, other: Rows) -> Rows:
        """Return other rows where a mask is true, these elsewhere."""
        pairs = zip(self._parts, other._parts, strict=True)
        return Rows(*(np.where(mask.reshape(-1, *[1] * (own.ndim - 1)), new, own) for own, new in pairs))


@dataclass(frozen=True, eq=False)
class Limits:
    """What may move at a point, and how, in BoTorch's convention.

    Attributes:
        columns: Coordinates that may move.
        inequality_constraints: Indices, coefficients and right-hand sides of `sum(coefficient * x) >= rhs`.
        equality_constraints: The same of `sum(coefficient * x) == rhs`.
    """

    columns: np.ndarray
    inequality_constraints: list[EncodedConstraint]
    equality_constraints: list[EncodedConstraint]
