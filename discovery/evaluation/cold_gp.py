"""The baseline that users know: BoTorch's `SingleTaskGP` with its defaults, fitted anew after every measurement.

It learns nothing before the campaign. Model, priors, outcome transform, optimizer and retries are the library's own, so
that a difference in a backtest is a difference to what one would run without this project. Two things are written out
for speed, and tests hold them to the library: the objective and its gradient that BoTorch's optimizer is handed, and
what the fitted model predicts. It runs on the CPU: with this few points a GPU is slower. The module is imported only
when the method is asked for, so that BoTorch is loaded before any proposal is timed.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim.closures.core import NdarrayOptimizationClosure
from botorch.optim.utils import get_parameters
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dpotrf, dpotri

from discovery import seeds
from discovery.evaluation.baselines.cold import ColdMethod, ColdPredictor
from discovery.evaluation.baselines.exact_gp import LOG_2PI, ExactGP, greedy_log_ei
from discovery.evaluation.methods import BacktestContext, Seen


@dataclass
class ColdGPMethod(ColdMethod):
    """Fit a Gaussian process to what was measured, take the candidate with the highest LogEI.

    With fewer than two measurements it proposes at random from the seed. A batch is chosen one by one, each with the
    ones before it as pending points at their posterior mean.
    """

    name: str = "cold_gp"

    def search(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> tuple[int, ...]:
        """Return the next candidates by LogEI; ties go to the lowest index."""
        gp = exact(fit(context, seen, seed))
        best_f = max(context.sign * y for y in seen.outcomes)
        return greedy_log_ei(gp, context.pool.X, seen.is_taken(context.n_candidates), best_f, n)


@dataclass
class ColdGPPredictor(ColdPredictor):
    """Predict with the Gaussian process that `ColdGPMethod` searches with."""

    name: str = "cold_gp"

    def moments(
        self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the posterior's moments."""
        gp = exact(fit(context, support, seed))
        mean, variance = gp.marginals(context.pool.X[query])
        return context.sign * mean, gp.noisy_sd(variance)


def fit(context: BacktestContext, seen: Seen, seed: int) -> SingleTaskGP:
    """Fit BoTorch's default Gaussian process to the measurements, outcomes signed so that more is better.

    Args:
        context: Candidates and goal.
        seen: At least two measurements.
        seed: Seed of the restarts that fitting takes when its first attempt fails.

    Returns:
        The fitted model. Inputs in the unit cube, outcomes raw times `context.sign`.
    """
    Y = np.asarray(seen.outcomes) * context.sign
    return fit_points(context.pool.X[list(seen.indices)], Y, seeds.derive(seed, "cold_gp fit", seen.n))


def fit_points(X: np.ndarray, y: np.ndarray, torch_seed: int) -> SingleTaskGP:
    """Fit BoTorch's default Gaussian process to points of the unit cube, shape `n x d`, and outcomes, shape `n`."""
    logging.getLogger("botorch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # BoTorch warns of constant outcomes and retried fits; both are answered
        torch.manual_seed(torch_seed)
        model = SingleTaskGP(torch.as_tensor(X, dtype=torch.float64), torch.as_tensor(y).double().unsqueeze(-1))
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(mll, closure=MapObjective(mll))
    return model


class MapObjective(NdarrayOptimizationClosure):
    """What BoTorch minimizes to fit a default `SingleTaskGP`, and its gradient, in closed form.

    The mean over measurements of minus the log marginal likelihood and the log priors. BoTorch's own closure builds an
    autograd graph at each of several hundred evaluations; this one costs a fiftieth.

    Args:
        mll: The marginal likelihood of a `SingleTaskGP` with the default kernel, mean, likelihood and priors.
    """

    def __init__(self, mll: ExactMarginalLogLikelihood) -> None:
        super().__init__(lambda: None, get_parameters(mll, requires_grad=True))
        model, (X,) = mll.model, mll.model.train_inputs
        self._y = model.train_targets.numpy()
        self._positive = np.delete(np.arange(len(self.state)), 1)  # all but the constant, which has a flat prior
        priors = [model.likelihood.noise_covar.noise_prior] + [model.covar_module.lengthscale_prior] * X.shape[1]
        self._prior_loc = np.array([p.loc.item() for p in priors])
        self._prior_variance = np.array([(p.scale**2).item() for p in priors])  # in the priors' own single precision
        self._log_norm = sum(p.scale.log().item() + 0.5 * LOG_2PI for p in priors)
        n = len(self._y)
        self._row, self._column = np.tril_indices(n, -1)
        self._square = np.ascontiguousarray(((X[self._row] - X[self._column]) ** 2).numpy().T)  # d x pairs
        self._K = np.zeros((n, n), order="F")
        self._flat = self._K.T.reshape(-1)  # shares memory, so that a flat index writes into the lower triangle
        self._below, self._diagonal = self._column * n + self._row, np.arange(n) * (n + 1)

    def __call__(self, state: np.ndarray | None = None, **_: object) -> tuple[np.ndarray, np.ndarray]:
        """Return the objective and its gradient at noise variance, constant and lengthscales, in this order."""
        x = self.state if state is None else state
        noise, constant, lengthscale = x[0], x[1], x[2:]
        k = np.exp((-0.5 / lengthscale**2) @ self._square)
        self._flat[self._below], self._flat[self._diagonal] = k, 1.0 + noise
        L, failed = dpotrf(self._K, lower=1)
        if failed or not np.isfinite(x).all():
            return np.full((), np.nan), np.full_like(x, np.nan)  # as BoTorch answers
        inverse, _info = dpotri(L, lower=1)
        residual = self._y - constant
        dual = dsymv(1.0, inverse, residual, lower=1)
        value = -0.5 * residual @ dual - np.log(L.diagonal()).sum() - 0.5 * len(self._y) * LOG_2PI
        pull = (dual[self._row] * dual[self._column] - inverse.T.reshape(-1)[self._below]) * k
        by_noise = 0.5 * (dual @ dual - inverse.diagonal().sum())
        by_lengthscale = (self._square @ pull) / lengthscale**3
        prior, slope = self._log_prior(x[self._positive])
        gradient = np.concatenate([[by_noise, dual.sum()], by_lengthscale])
        gradient[self._positive] += slope
        return np.asarray(-(value + prior) / len(self._y)), -gradient / len(self._y)

    def _log_prior(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log densities of log-normal priors, summed, and their gradient."""
        log_x = np.log(x)
        gap = log_x - self._prior_loc
        pull = gap / self._prior_variance
        return float(-0.5 * gap @ pull - log_x.sum() - self._log_norm), -(pull + 1.0) / x


def exact(model: SingleTaskGP) -> ExactGP:
    """Copy the numbers of a fitted model: the copy predicts what the model predicts, in a hundredth of the time."""
    lengthscale = model.covar_module.lengthscale.detach().numpy().reshape(-1)
    return ExactGP(
        X=model.train_inputs[0].numpy(),
        y=model.train_targets.numpy(),
        correlation=partial(_rbf, lengthscale),
        constant=model.mean_module.constant.item(),
        signal=1.0,
        noise=model.likelihood.noise.item(),
        center=model.outcome_transform.means.item(),
        scale=model.outcome_transform.stdvs.item(),
    )


def _rbf(lengthscale: np.ndarray, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    A, B = A / lengthscale, B / lengthscale
    square = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T
    return cast(np.ndarray, np.exp(-0.5 * np.maximum(square, 0.0)))
