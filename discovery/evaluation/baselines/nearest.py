"""Nearest neighbors: predict the mean of the five most alike, explore where nothing alike was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discovery.evaluation.baselines.cold import ColdMethod, ColdPredictor
from discovery.evaluation.baselines.similarity import distances, has_molecules, sets_of, tanimoto
from discovery.evaluation.methods import BacktestContext, Seen

N_NEIGHBORS = 5
SOFTENING = 0.1  # share of the mean distance that is added to each, so that equal configurations do not decide alone


@dataclass
class NearestMethod(ColdMethod):
    """Take the candidate whose neighbors did best, plus the outcomes' spread times the distance to the nearest.

    The distance counts relative to the farthest candidate's. A batch is chosen one by one, each with the ones before it
    at their predicted outcome.
    """

    name: str = "knn"

    def search(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> tuple[int, ...]:
        """Return the next candidates, one by one."""
        taken, y = list(seen.indices), context.sign * np.asarray(seen.outcomes)
        apart = _apart(context, np.arange(context.n_candidates), taken)  # N x s
        for _ in range(n):
            mean = _neighbors_mean(apart, y)
            nearest = apart.min(axis=1)
            value = mean + y[: seen.n].std() * nearest / max(float(nearest.max()), 1e-12)
            value[taken] = -np.inf
            taken.append(int(value.argmax()))
            y = np.append(y, mean[taken[-1]])
            apart = np.hstack([apart, _apart(context, np.arange(context.n_candidates), taken[-1:])])
        return tuple(taken[seen.n :])


@dataclass
class NearestPredictor(ColdPredictor):
    """Predict the mean of the nearest, with the spread of the leave-one-out errors."""

    name: str = "knn"

    def moments(
        self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the neighbors' means and the error of leaving one out."""
        taken, y = list(support.indices), np.asarray(support.outcomes)
        mean = _neighbors_mean(_apart(context, query, taken), y)
        among = _apart(context, np.array(taken), taken)
        np.fill_diagonal(among, np.inf)
        errors = y - _neighbors_mean(among, y)
        sd = np.full(len(query), max(float(np.sqrt((errors**2).mean())), 1e-6))
        return mean, sd


def _apart(context: BacktestContext, rows: np.ndarray, columns: list[int]) -> np.ndarray:
    """Return distances between candidates. Shape `rows x columns`."""
    if has_molecules(context):
        sets = sets_of(context)
        return 1.0 - tanimoto(sets[rows], sets[columns])
    return distances(context.pool.X[rows], context.pool.X[columns])


def _neighbors_mean(apart: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return means of the nearest, weighted by one over distance. Shape `r x s` and `s` to `r`."""
    k = min(N_NEIGHBORS, int(np.isfinite(apart).sum(axis=1).min()))
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :k]
    d = np.take_along_axis(apart, nearest, axis=1)
    weight = 1.0 / (d + SOFTENING * d.mean(axis=1, keepdims=True) + 1e-9)
    return (weight * y[nearest]).sum(axis=1) / weight.sum(axis=1)
