"""How well processes rank what was measured, and the weights that follow: the ranking-weighted ensemble.

Source:
    Feurer, Letham, Bakshy (2018), Scalable Meta-Learning for Bayesian Optimization, algorithm 1 with the guard against
    dilution of section 4.3.
"""

from __future__ import annotations

import numpy as np

GUARD_LEVEL = 0.95  # a source must misorder less, in half its draws, than the own process does in so many of its own


def misordered(draws: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how many ordered pairs of measurements each draw gets wrong. Shape `* x k x n` and `n` to `* x k`."""
    wrong = (draws[..., :, None] < draws[..., None, :]) != (y[:, None] < y[None, :])
    return np.asarray(wrong.sum(axis=(-2, -1)))


def misordered_alone(draws: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how many pairs the own process gets wrong, each point against the others by the process not shown it.

    Args:
        draws: Draws at all `n` points, of the processes that were not shown the first point, the second, … Shape
            `n x k x n`.
        y: What was measured. Shape `n`.

    Returns:
        Shape `k`.
    """
    own = np.einsum("iki->ki", draws).T[..., None]  # n x k x 1
    return np.asarray(((own < draws) != (y[:, None] < y)[:, None, :]).sum(axis=(0, 2)))


def ranking_weights(losses: np.ndarray) -> np.ndarray:
    """Return the share of draws in which each process misorders fewest; ties are shared.

    Sources whose median loss exceeds the own process's upper quantile are left out: many poor sources would otherwise
    dilute the ensemble, each winning a draw now and then.

    Args:
        losses: Misordered pairs; the own process last. Shape `sources + 1 x draws`.
    """
    is_kept = np.median(losses, axis=1) <= np.quantile(losses[-1], GUARD_LEVEL)
    is_kept[-1] = True
    standing = np.where(is_kept[:, None], losses, np.inf)
    wins = (standing == standing.min(axis=0)).astype(float)
    return np.asarray((wins / wins.sum(axis=0)).mean(axis=1))
