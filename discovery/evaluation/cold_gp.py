"""The baseline that users know: BoTorch's `SingleTaskGP` with its defaults, fitted anew after every measurement.

It learns nothing before the campaign. No shortcut is taken: priors, outcome transform, fitting and acquisition are the
library's own, so that a difference in a backtest is a difference to what one would run without this project. It runs
on the CPU: with this few points a GPU is slower. The module is imported only when the method is asked for, so that
BoTorch is loaded before any proposal is timed.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from discovery import seeds
from discovery.errors import NotEnoughDataError
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen, random_indices

MIN_MEASUREMENTS = 2  # below, a standardized Gaussian process is not defined


@dataclass
class ColdGPMethod:
    """Fit a Gaussian process to what was measured, take the candidate with the highest LogEI.

    With fewer than two measurements it proposes at random from the seed. A batch is chosen one by one, each with the
    ones before it as pending points at their posterior mean.
    """

    name: str = "cold_gp"
    is_deterministic: bool = field(default=False, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn before the campaign."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidates; ties go to the lowest index."""
        if seen.n < MIN_MEASUREMENTS:
            return Choice(indices=random_indices(context.n_candidates, seen.indices, n, seed))
        model = fit(context, seen, seed)
        return Choice(indices=_greedy(model, context, seen, n))


@dataclass
class ColdGPPredictor:
    """Predict with the Gaussian process that `ColdGPMethod` searches with."""

    name: str = "cold_gp"

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn before the campaign."""

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict noisy outcomes.

        Raises:
            NotEnoughDataError: If there are fewer than two measurements.
        """
        if support.n < MIN_MEASUREMENTS:
            raise NotEnoughDataError(f"cold_gp needs at least two measurements to predict; got {support.n}.")
        model = fit(context, support, seed)
        X = torch.as_tensor(context.pool.X[query], dtype=torch.float64)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            posterior = model.posterior(X.unsqueeze(-2), observation_noise=True)  # r x 1 x d: no joint covariance
            mean, sd = posterior.mean.reshape(-1, 1), posterior.variance.reshape(-1, 1).sqrt()
        return Prediction(np.zeros(1), context.sign * mean.numpy(), sd.numpy())


def fit(context: BacktestContext, seen: Seen, seed: int) -> SingleTaskGP:
    """Fit BoTorch's default Gaussian process to the measurements, outcomes signed so that more is better.

    Args:
        context: Candidates and goal.
        seen: At least two measurements.
        seed: Seed of the restarts that fitting takes when its first attempt fails.

    Returns:
        The fitted model. Inputs in the unit cube, outcomes raw times `context.sign`.
    """
    logging.getLogger("botorch").setLevel(logging.ERROR)
    X = torch.as_tensor(context.pool.X[list(seen.indices)], dtype=torch.float64)
    Y = torch.as_tensor(seen.outcomes, dtype=torch.float64).unsqueeze(-1) * context.sign
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # BoTorch warns of constant outcomes and retried fits; both are answered
        torch.manual_seed(seeds.derive(seed, "cold_gp fit", seen.n))
        model = SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def _greedy(model: SingleTaskGP, context: BacktestContext, seen: Seen, n: int) -> tuple[int, ...]:
    """Take the best LogEI among candidates not taken yet, `n` times, pending ones believed at their mean."""
    X = torch.as_tensor(context.pool.X, dtype=torch.float64)
    best_f = max(context.sign * y for y in seen.outcomes)
    is_taken = torch.zeros(len(X), dtype=torch.bool)
    is_taken[list(seen.indices)] = True
    chosen: list[int] = []
    while len(chosen) < n:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if chosen:
                last = X[chosen[-1:]]
                mean = model.posterior(last).mean
                model = model.condition_on_observations(last, mean)
                best_f = max(best_f, float(mean))
            value = LogExpectedImprovement(model, best_f=best_f)(X.unsqueeze(-2))  # n x 1 x d -> n
        value = value.masked_fill(is_taken, -torch.inf)
        chosen.append(int(torch.nonzero(value == value.max())[0]))
        is_taken[chosen[-1]] = True
    return tuple(chosen)
