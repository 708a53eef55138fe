"""The baseline that users know: BoTorch's `SingleTaskGP` with its defaults, fitted anew after every measurement.

It learns nothing before the campaign. Model, priors, outcome transform, optimizer and retries are the library's own, so
that a difference in a backtest is a difference to what one would run without this project. Two things are written out
for speed, and tests hold them to the library: the objective and its gradient that BoTorch's optimizer is handed, and
what the fitted model predicts. It runs on the CPU: with this few points a GPU is slower. The module is imported only
when the method is asked for, so that BoTorch is loaded before any proposal is timed.
"""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim.closures.core import NdarrayOptimizationClosure
from botorch.optim.utils import get_parameters
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.settings import min_variance
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtrs
from scipy.special import erfcx, ndtr

from discovery import seeds
from discovery.errors import NotEnoughDataError
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen, random_indices

MIN_MEASUREMENTS = 2  # below, a standardized Gaussian process is not defined
LOG_2PI = math.log(2 * math.pi)


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
        gp = FittedGP.of(fit(context, seen, seed))
        return Choice(indices=_greedy(gp, context, seen, n))


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
        gp = FittedGP.of(fit(context, support, seed))
        mean, variance = gp.marginals(context.pool.X[query])
        sd = np.sqrt(variance + gp.noise * gp.scale**2)
        return Prediction(np.zeros(1), context.sign * mean[:, None], sd[:, None])


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


@dataclass(frozen=True, eq=False)
class FittedGP:
    """A fitted `SingleTaskGP` as arrays: it predicts what the model predicts, at a hundredth of the time.

    Attributes:
        X: Measured points. Shape `n x d`; unit cube.
        y: Standardized outcomes. Shape `n`.
        lengthscale: Shape `d`.
        constant: Mean, in standardized units.
        noise: Noise variance, in standardized units.
        center: Subtracted to standardize, in the outcome's units.
        scale: Divided by to standardize, in the outcome's units.
    """

    X: np.ndarray
    y: np.ndarray
    lengthscale: np.ndarray
    constant: float
    noise: float
    center: float
    scale: float

    @classmethod
    def of(cls, model: SingleTaskGP) -> FittedGP:
        """Copy the numbers of a fitted model with the default kernel, mean, likelihood and outcome transform."""
        return cls(
            X=model.train_inputs[0].numpy(),
            y=model.train_targets.numpy(),
            lengthscale=model.covar_module.lengthscale.detach().numpy().reshape(-1),
            constant=model.mean_module.constant.item(),
            noise=model.likelihood.noise.item(),
            center=model.outcome_transform.means.item(),
            scale=model.outcome_transform.stdvs.item(),
        )

    def marginals(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return posterior means and variances without noise at points, in the outcome's units. Shape `r` each."""
        k = self._kernel(self.X, X)  # n x r
        root, _ = dtrtrs(self._cholesky, k, lower=1)
        mean = self.constant + self._dual @ k
        variance = np.maximum(1.0 - (root**2).sum(axis=0), min_variance.value(torch.float64))
        return self.center + self.scale * mean, self.scale**2 * variance

    def with_pending(self, X: np.ndarray) -> FittedGP:
        """Return the process after points, shape `q x d`, were measured and gave their posterior means."""
        y = (self.marginals(X)[0] - self.center) / self.scale
        return replace(self, X=np.vstack([self.X, X]), y=np.append(self.y, y))

    def _kernel(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        A, B = A / self.lengthscale, B / self.lengthscale
        square = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T
        return cast(np.ndarray, np.exp(-0.5 * np.maximum(square, 0.0)))

    @cached_property
    def _cholesky(self) -> np.ndarray:
        K = self._kernel(self.X, self.X) + self.noise * np.eye(len(self.X))
        return cast(np.ndarray, dpotrf(K, lower=1)[0])

    @cached_property
    def _dual(self) -> np.ndarray:
        return cast(np.ndarray, dpotrs(self._cholesky, self.y - self.constant, lower=1)[0])


def log_ei(mean: np.ndarray, variance: np.ndarray, best_f: float) -> np.ndarray:
    """Return the logarithm of the expected improvement over `best_f`, without underflow far below it.

    Source:
        Ament et al. (2023), section 4.1; departures: `erfcx` of SciPy in place of their approximation.
    """
    sd = np.sqrt(np.maximum(variance, 1e-12))
    u = (mean - best_f) / sd
    near, far = np.maximum(u, -1.0), np.minimum(u, -1.0)
    density = np.exp(-0.5 * near**2 - 0.5 * LOG_2PI)
    tail = -far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2))
    gap = np.where(far > -1e5, 1.0 - tail, far**-2.0)  # the difference of two nearly equal numbers, then its limit
    low = -0.5 * far**2 - 0.5 * LOG_2PI + np.log(np.maximum(gap, 1e-300))
    return cast(np.ndarray, np.log(sd) + np.where(u > -1.0, np.log(density + near * ndtr(near)), low))


def _greedy(gp: FittedGP, context: BacktestContext, seen: Seen, n: int) -> tuple[int, ...]:
    """Take the best LogEI among candidates not taken yet, `n` times, pending ones believed at their mean."""
    X = context.pool.X
    best_f = max(context.sign * y for y in seen.outcomes)
    is_taken = np.zeros(len(X), dtype=bool)
    is_taken[list(seen.indices)] = True
    chosen: list[int] = []
    while len(chosen) < n:
        if chosen:
            best_f = max(best_f, gp.marginals(X[chosen[-1:]])[0].item())
            gp = gp.with_pending(X[chosen[-1:]])
        value = np.where(is_taken, -np.inf, log_ei(*gp.marginals(X), best_f))
        chosen.append(int(value.argmax()))
        is_taken[chosen[-1]] = True
    return tuple(chosen)
