"""The ranking-weighted ensemble: Gaussian processes of earlier tasks, weighted by how well they rank what was measured.

Each earlier task has a process of its own, fitted once. A weight is the share of posterior draws in which a process
misorders the fewest pairs of measurements; the campaign's own process is judged on points that it was not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from discovery import seeds
from discovery.errors import NotEnoughDataError
from discovery.evaluation.baselines.exact_gp import ExactGP, log_ei
from discovery.evaluation.baselines.similarity import has_molecules, sets_of
from discovery.evaluation.baselines.tanimoto_gp import fit_tanimoto
from discovery.evaluation.cold_gp import exact, fit_points
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen, random_indices
from discovery.meta.ranking import misordered, misordered_alone, ranking_weights
from discovery.tasks.lift import Lift
from discovery.tasks.task import Task

MIN_OWN = 3  # measurements below which the campaign's own process has nothing to be judged by
MIN_SOURCE = 3
MOST_SOURCE_ROWS = 150  # of an earlier task; more are drawn from at random, as fitting costs the cube
N_DRAWS = 256


@dataclass
class RGPEMethod:
    """Take the candidate with the highest LogEI of the ensemble.

    With nothing measured it takes the best of the sources' mean. A batch is the best few: the ensemble has no joint
    distribution.

    Source:
        Feurer, Letham, Bakshy (2018), Scalable Meta-Learning for Bayesian Optimization, algorithm 1 with the guard of
        section 4.3; departures: SingleTaskGP's priors, on molecules the Tanimoto kernel; at most 150 rows per source.
    """

    name: str = "rgpe"
    is_deterministic: bool = field(default=False, init=False)
    sources: tuple[ExactGP, ...] = field(default=(), init=False, repr=False)
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), init=False, repr=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Fit a Gaussian process to each earlier task."""
        tasks = [task for task in context.load_history() if task.n_points >= MIN_SOURCE]
        if has_molecules(context):  # sets are compared in the campaign's own coordinates
            tasks = [task for task in tasks if task.space is None]
        self.points = _points(context, tasks)
        fitted = []
        for i, task in enumerate(tasks):
            fitted.append(_fit_source(context, task))
            if progress is not None:
                progress(f"rgpe, {task.task_id}", (i + 1) / len(tasks))
        self.sources = tuple(fitted)

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidates; without sources at random below two measurements."""
        ensemble = self.ensemble(context, seen, seed)
        if ensemble is None:
            return Choice(indices=random_indices(context.n_candidates, seen.indices, n, seed))
        mean, variance = ensemble.marginals(self.points)
        y = context.sign * np.asarray(seen.outcomes)
        value = log_ei(mean, variance, float(y.max())) if seen.n else mean
        value = np.where(seen.is_taken(context.n_candidates), -np.inf, value)
        return Choice(indices=tuple(int(i) for i in np.argsort(-value, kind="stable")[:n]))

    def ensemble(self, context: BacktestContext, seen: Seen, seed: int) -> Ensemble | None:
        """Weight the sources and the campaign's own process; None where there is neither."""
        y, X = context.sign * np.asarray(seen.outcomes), self.points[list(seen.indices)]
        own = None if seen.n < (MIN_OWN if self.sources else 2) else _fit(context, X, y, seed)
        if own is None and not self.sources:
            return None
        center = float(y.mean()) if seen.n else 0.0
        spread = float(y.std(ddof=1)) if seen.n > 1 else 0.0
        scale = spread if spread > 1e-8 else max(abs(gp.scale) for gp in self.sources) if self.sources else 1.0
        if own is None:
            return Ensemble(self.sources, np.full(len(self.sources), 1 / len(self.sources)), center, scale)
        rng = seeds.rng(seed, "rgpe", seen.n)
        losses = np.stack([misordered(gp.draw(X, N_DRAWS, rng), y) for gp in self.sources] + [own_loss(own, rng)])
        return Ensemble((*self.sources, own), ranking_weights(losses), center, scale)


@dataclass
class RGPEPredictor(RGPEMethod):
    """Predict with the ensemble that `RGPEMethod` searches with."""

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict noisy outcomes.

        Raises:
            NotEnoughDataError: If there are fewer than two measurements.
        """
        if support.n < 2:
            raise NotEnoughDataError(f"rgpe needs at least two measurements to predict; got {support.n}.")
        ensemble = self.ensemble(context, support, seed)
        assert ensemble is not None  # two measurements are enough for one
        mean, variance = ensemble.marginals(self.points[query])
        noise = ensemble.weights @ np.array([gp.noise for gp in ensemble.parts]) * ensemble.scale**2
        return Prediction(np.zeros(1), context.sign * mean[:, None], np.sqrt(variance + noise)[:, None])


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A weighted sum of Gaussian processes, each in units of its own standardized outcomes.

    Attributes:
        parts: The processes.
        weights: Their weights, summing to one.
        center: Outcome that a standardized prediction of zero means.
        scale: Outcome per standardized unit.
    """

    parts: tuple[ExactGP, ...]
    weights: np.ndarray
    center: float
    scale: float

    def marginals(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and variances without noise at points, in the outcome's units. Shape `r` each."""
        mean, variance = np.zeros(len(X)), np.zeros(len(X))
        for gp, weight in zip(self.parts, self.weights, strict=True):
            if weight > 0:
                own_mean, own_variance = gp.marginals(X)
                mean += weight * (own_mean - gp.center) / gp.scale
                variance += weight**2 * own_variance / gp.scale**2
        return self.center + self.scale * mean, self.scale**2 * variance


def own_loss(own: ExactGP, rng: np.random.Generator) -> np.ndarray:
    """Return the campaign's own misordered pairs: each point against the others, by the process not shown it."""
    n = len(own.y)
    rest = ~np.eye(n, dtype=bool)
    draws = [replace(own, X=own.X[some], y=own.y[some]).draw(own.X, N_DRAWS, rng) for some in rest]
    return misordered_alone(np.stack(draws), own.y)


def _points(context: BacktestContext, tasks: Sequence[Task]) -> np.ndarray:
    """Return the candidates in the coordinates that the earlier tasks have."""
    if has_molecules(context):
        return sets_of(context)
    space = tasks[0].space if tasks else None
    if space is None:
        return context.pool.X
    return Lift.of(space)(torch.as_tensor(context.pool.X)).numpy()


def _fit_source(context: BacktestContext, task: Task) -> ExactGP:
    """Fit the process of an earlier task, outcomes signed so that more is better."""
    task = task.measured()
    rows = np.arange(task.n_points)
    if task.n_points > MOST_SOURCE_ROWS:
        rows = np.sort(seeds.rng(0, "rgpe source", task.task_id).permutation(rows)[:MOST_SOURCE_ROWS])
    X = sets_of(context, task.X) if has_molecules(context) else task.X
    return _fit(context, X[rows], context.sign * task.Y[rows, 0], 0)


def _fit(context: BacktestContext, X: np.ndarray, y: np.ndarray, seed: int) -> ExactGP:
    if has_molecules(context):
        return fit_tanimoto(X, y)
    return exact(fit_points(X, y, seeds.derive(seed, "rgpe fit", len(y))))
