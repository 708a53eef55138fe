"""How alike candidates are: Tanimoto on fingerprints where molecules are chosen, Euclidean distance elsewhere."""

from __future__ import annotations

import numpy as np

from discovery.evaluation.methods import BacktestContext

MOLECULE, MOLECULE_DESCRIPTORS = "molecule", "molecule_descriptors"  # kinds of blocks


def has_molecules(context: BacktestContext) -> bool:
    """Return whether a parameter is a molecule."""
    return any(block.kind == MOLECULE for block in context.space.blocks)


def sets_of(context: BacktestContext, X: np.ndarray | None = None) -> np.ndarray:
    """Return points as weighted sets: fingerprints and levels, without molecules' descriptors.

    Args:
        context: Holds the space.
        X: Encoded configurations, shape `n x d`; default the candidates.

    Returns:
        Shape `n x f`.
    """
    points = context.pool.X if X is None else X
    blocks = [block for block in context.space.blocks if block.kind != MOLECULE_DESCRIPTORS]
    first, last = blocks[0].start, blocks[-1].stop
    if last - first == sum(block.stop - block.start for block in blocks):
        return points[:, first:last]  # a view: thousands of fingerprints are not copied at every proposal
    return points[:, np.concatenate([np.arange(block.start, block.stop) for block in blocks])]


def tanimoto(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return Tanimoto similarities, `a b / (a a + b b - a b)`; two empty sets are the same. Shape `n x r`."""
    overlap = A @ B.T
    union = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - overlap
    return np.where(union > 0, overlap / np.where(union > 0, union, 1.0), 1.0)


def distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return Euclidean distances. Shape `n x r`."""
    square = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T
    return np.sqrt(np.maximum(square, 0.0))
