"""Bringing configurations onto equations that are not linear, such as `heat * time == 600`, by Newton's method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from discovery.campaign import NonlinearConstraint
from discovery.space.regions import Regions
from discovery.space.rows import Rows

N_STEPS = 12
TINY = 1e-6  # of the bounds: how far apart values are that a slope is taken from
LONGEST = 0.3  # of the bounds: how far one step goes at most


def onto_curves(regions: Regions, rows: Rows) -> Rows:
    """Move continuous numbers so that nonlinear equations hold, along the linear ones; what does not arrive is off.

    Args:
        regions: The space.
        rows: The rows; lists and what is held at zero stay.
    """
    equations = [c for c in regions.of.space.constraints if isinstance(c, NonlinearConstraint) and c.sides[1] == "=="]
    if not equations or not regions.of.continuous or not len(rows):
        return rows

    def gaps(U: np.ndarray) -> np.ndarray:
        columns = regions.cells(rows.codes, U)
        found = [c.sides[0](columns) - c.sides[2](columns) for c in equations]
        return np.nan_to_num(np.array(found).T, nan=0.0)  # undefined: nothing to follow

    U = rows.U
    for _ in range(N_STEPS):
        gap = gaps(U)
        slopes = np.stack([(gaps(_nudged(U, i)) - gap) / _nudge(U)[:, [i]] for i in range(U.shape[1])], axis=-1)
        inside = np.einsum("nmk,nkl->nml", slopes, rows.P)  # along the linear equations
        move = -np.einsum("nkm,nm->nk", np.linalg.pinv(inside), gap)
        longest = np.abs(move).max(axis=1, keepdims=True).clip(1e-12)
        U = (U + move * np.minimum(1.0, LONGEST / longest)).clip(rows.low, rows.high)
    return replace(rows, U=U)


def _nudge(U: np.ndarray) -> np.ndarray:
    """Return small steps that stay within the bounds. Shape `n x k`."""
    return np.where(U > 0.5, -TINY, TINY)


def _nudged(U: np.ndarray, i: int) -> np.ndarray:
    moved = U.copy()
    moved[:, i] += _nudge(U)[:, i]
    return moved
