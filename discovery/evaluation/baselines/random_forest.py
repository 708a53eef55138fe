"""A random forest of scikit-learn with its defaults: an upper bound from the spread of the trees chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from discovery import seeds
from discovery.evaluation.baselines.cold import ColdMethod, ColdPredictor
from discovery.evaluation.baselines.optional import load_optional
from discovery.evaluation.methods import BacktestContext, Progress, Seen

PACKAGE = "scikit-learn"
N_TREES = 100
TRADE_OFF = 1.0  # standard deviations of the trees that are added to their mean


@dataclass
class RandomForestMethod(ColdMethod):
    """Take the candidates with the highest mean plus spread of the trees; a batch is the best few."""

    name: str = "random_forest"

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn before the campaign; see that the package is there."""
        _ensembles(self.name)

    def search(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> tuple[int, ...]:
        """Return the candidates with the highest bound."""
        forest = _grow(self.name, context, seen, seed)
        trees = context.sign * _trees(forest, context.pool.X)  # trees x N
        value = trees.mean(axis=0) + TRADE_OFF * trees.std(axis=0)
        value[seen.is_taken(context.n_candidates)] = -np.inf
        return tuple(int(i) for i in np.argsort(-value, kind="stable")[:n])


@dataclass
class RandomForestPredictor(ColdPredictor):
    """Predict the trees' mean, with their spread, or the error on what each tree was not shown where that is larger."""

    name: str = "random_forest"

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn before the campaign; see that the package is there."""
        _ensembles(self.name)

    def moments(
        self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the trees' mean, and their spread or error."""
        forest = _grow(self.name, context, support, seed)
        trees = _trees(forest, context.pool.X[query])
        errors = np.asarray(support.outcomes) - forest.oob_prediction_
        sd = np.maximum(trees.std(axis=0), max(float(np.sqrt((errors**2).mean())), 1e-6))
        return trees.mean(axis=0), sd


def _ensembles(method: str) -> Any:
    return load_optional("sklearn.ensemble", PACKAGE, method)


def _grow(method: str, context: BacktestContext, seen: Seen, seed: int) -> Any:
    """Fit the forest; the same measurements and seed give the same trees."""
    state = seeds.derive(seed, "random_forest", seen.n) % 2**32
    forest = _ensembles(method).RandomForestRegressor(N_TREES, random_state=state, oob_score=True, n_jobs=1)
    return forest.fit(context.pool.X[list(seen.indices)], np.asarray(seen.outcomes))


def _trees(forest: Any, X: np.ndarray) -> np.ndarray:
    """Return what each tree predicts. Shape `trees x n`."""
    X = X.astype(np.float32)  # what a tree converts its input to
    return np.stack([tree.predict(X, check_input=False) for tree in forest.estimators_])
