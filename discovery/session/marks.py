"""What measurements say beside their value, as arrays: the block of results that each came from.

Next in the tour: `discovery.meta.rows`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def block_levels(rows: pd.DataFrame, blocks: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Return the level of every measurement in each block column, counted from 0.

    A measurement that names no level has one of its own: nothing is known to share its block.

    Args:
        rows: Measurements, as `Store.measurements` gives them.
        blocks: Names of the block columns.

    Returns:
        One array per column that the measurements have, shape `n`, int64.
    """
    return tuple(_levels(rows[name]) for name in blocks if name in rows)


def _levels(cells: pd.Series) -> np.ndarray:
    codes = pd.factorize(cells.where(cells != "", None))[0]
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return codes.astype(np.int64)
