"""Finding configurations where chance hardly does: step by step nearer to what the constraints ask for.

Rows are drawn, the best part by how far they miss the constraints is kept and multiplied, and each copy moves within
what is as good (adaptive multilevel splitting). Sums and counts hold all the way; the rest is met in the end.
"""

from __future__ import annotations

import numpy as np

from discovery.space.constraints import EXACT, miss
from discovery.space.curves import onto_curves
from discovery.space.regions import Regions, Rows

N_ROWS = 2048
KEPT = 0.2  # share that survives a level
MAX_LEVELS = 60
MAX_STUCK = 6  # levels without coming nearer
TARGET = 0.1 * EXACT  # so that rounding to 12 digits breaks nothing
N_MOVES = 8  # per level
SMALLEST = 10.0  # moves are 10 to the power of -SMALLEST to 0 of the room that there is
N_LAST = 96  # moves within what is valid, so that copies part


def find_rare(regions: Regions, n: int, rng: np.random.Generator) -> np.ndarray:
    """Find points of configurations that meet all constraints.

    Returns:
        At most `n` points, shape `m x d`; none where the search ends before it finds one.
    """
    rows = _first(regions, rng)
    if not len(rows):
        return np.empty((0, regions.of.space.n_dims))
    rows = onto_curves(regions, rows)
    missed, level, n_stuck = misses(regions, rows), np.inf, 0
    for _ in range(MAX_LEVELS):
        before, level = level, float(np.quantile(missed, KEPT))
        n_stuck = n_stuck + 1 if level >= before else 0
        if level <= TARGET or n_stuck > MAX_STUCK:
            break
        kept = np.flatnonzero(missed <= level)
        copies = kept[rng.integers(len(kept), size=N_ROWS)]
        rows, missed = _moved(regions, rows.at(copies), missed[copies], level, rng)
    valid = np.flatnonzero(missed <= TARGET)
    if not len(valid):
        return np.empty((0, regions.of.space.n_dims))
    copies = valid[rng.integers(len(valid), size=max(n, len(valid)))]
    rows, missed = rows.at(copies), missed[copies]
    for _ in range(N_LAST // N_MOVES):
        rows, missed = _moved(regions, rows, missed, TARGET, rng)
    return regions.points(rows)[:n]


def misses(regions: Regions, rows: Rows) -> np.ndarray:
    """Return by how much rows miss all constraints together, relative to the sizes of their terms. Shape `n`."""
    columns = regions.cells(rows.codes, rows.U)
    return np.minimum(np.sum([miss(constraint, columns) for constraint in regions.of.space.constraints], axis=0), 1e6)


def _first(regions: Regions, rng: np.random.Generator) -> Rows:
    """Draw the rows to begin with; tried a few times where most draws of lists leave nothing."""
    for _ in range(16):
        rows = regions.draw(N_ROWS, rng)
        if len(rows):
            return rows
    return rows


def _moved(
    regions: Regions, rows: Rows, missed: np.ndarray, level: float, rng: np.random.Generator
) -> tuple[Rows, np.ndarray]:
    """Move each row a few times, where it stays as good as the level."""
    for _ in range(N_MOVES):
        tried = regions.step(rows, 10.0 ** (-SMALLEST * rng.random(len(rows)) ** 2), rng, is_partial=True)
        tried = onto_curves(regions, regions.relisted(tried, rng))
        found = misses(regions, tried)
        better = found <= level
        rows, missed = rows.where(better, tried), np.where(better, found, missed)
    return rows, missed
