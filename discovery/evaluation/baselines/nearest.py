"""Nearest neighbors: predict the mean of the five most alike, explore where nothing alike was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from discovery.errors import NotEnoughDataError
from discovery.evaluation.baselines.similarity import distances, has_molecules, sets_of, tanimoto
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen, random_indices

N_NEIGHBORS = 5
MIN_MEASUREMENTS = 2
SOFTENING = 0.1  # share of the mean distance that is added to each, so that equal configurations do not decide alone


@dataclass
class NearestMethod:
    """Take the candidate whose neighbors did best, plus the outcomes' spread times the distance to the nearest.

    The distance counts relative to the farthest candidate's. A batch is chosen one by one, each with the ones before it
    at their predicted outcome.
    """

    name: str = "knn"
    is_deterministic: bool = field(default=False, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn before the campaign."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidates; at random with fewer than two measurements."""
        if seen.n < MIN_MEASUREMENTS:
            return Choice(indices=random_indices(context.n_candidates, seen.indices, n, seed))
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
        return Choice(indices=tuple(taken[seen.n :]))


@dataclass
class NearestPredictor:
    """Predict the mean of the nearest, with the spread of the leave-one-out errors."""

    name: str = "knn"

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn before the campaign."""

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict noisy outcomes.

        Raises:
            NotEnoughDataError: If there are fewer than two measurements.
        """
        if support.n < MIN_MEASUREMENTS:
            raise NotEnoughDataError(f"knn needs at least two measurements to predict; got {support.n}.")
        taken, y = list(support.indices), np.asarray(support.outcomes)
        mean = _neighbors_mean(_apart(context, query, taken), y)
        among = _apart(context, np.array(taken), taken)
        np.fill_diagonal(among, np.inf)
        errors = y - _neighbors_mean(among, y)
        sd = np.full(len(query), max(float(np.sqrt((errors**2).mean())), 1e-6))
        return Prediction(np.zeros(1), mean[:, None], sd[:, None])


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
