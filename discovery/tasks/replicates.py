"""Replicates of one configuration as one row of a task: values are averaged, of bounds the tightest stays.

A value and a bound of the same configuration are two rows: both are known. Next in the tour: `discovery.tasks.task`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd


class Averaged(NamedTuple):
    """Rows of a task.

    Attributes:
        first: Where each row stood first. Shape `g`.
        y: Mean outcome, or the tightest bound. Shape `g`.
        variance: Variance of each mean, 0 of a bound. Shape `g`; None where a standard error is not known.
        sides: -1 where the true value lies at or below `y`, +1 at or above, 0 measured. Shape `g`, int8; None where
            all were measured.
    """

    first: np.ndarray
    y: np.ndarray
    variance: np.ndarray | None
    sides: np.ndarray | None


def average_replicates(
    keys: Sequence[str], y: np.ndarray, sides: np.ndarray | None = None, sems: np.ndarray | None = None
) -> Averaged:
    """Put measurements of the same configuration together; rows stay in the order in which they first occur.

    Args:
        keys: Identity of each configuration.
        y: Outcomes. Shape `n`.
        sides: Which of them are bounds: -1, 0 or 1. Shape `n`, or None where all were measured.
        sems: Standard errors, NaN where not known. Shape `n`, or None where none is.

    Example:
        >>> average_replicates(["a", "b", "a"], np.array([1.0, 5.0, 3.0])).y.tolist()
        [2.0, 5.0]
    """
    side = np.zeros(len(y), dtype=np.int8) if sides is None else np.asarray(sides, dtype=np.int8)
    group, distinct = pd.factorize(pd.Series(list(zip(keys, side.tolist(), strict=True)), dtype=object))
    _, first = np.unique(group, return_index=True)
    count, own = np.bincount(group, minlength=len(distinct)), side[first]
    mean = np.bincount(group, weights=y, minlength=len(distinct)) / count
    grouped = pd.Series(y).groupby(group)
    mean = np.where(own < 0, grouped.min(), np.where(own > 0, grouped.max(), mean))
    errors = np.full(len(y), np.nan) if sems is None else sems
    variance = np.bincount(group, weights=np.where(side == 0, errors, 0.0) ** 2, minlength=len(distinct)) / count**2
    is_known = not np.isnan(variance).any()
    return Averaged(first, mean, variance if is_known else None, own if own.any() else None)
