"""A Gaussian process with fixed hyperparameters as arrays, and the search for the best expected improvement with it.

With a few dozen measurements a library's layers cost a hundred times what the algebra does, so it is written out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs
from scipy.special import erfcx, ndtr

LOG_2PI = math.log(2 * math.pi)
MIN_VARIANCE = 1e-10  # of a standardized prediction; what GPyTorch takes in double precision


@dataclass(frozen=True, eq=False)
class ExactGP:
    """A Gaussian process with fixed hyperparameters.

    Attributes:
        X: Measured points, whatever the correlation compares. Shape `n x d`.
        y: Standardized outcomes. Shape `n`.
        correlation: Correlations of two sets of points, shapes `n x d` and `r x d`, as `n x r`; one at distance zero.
        constant: Mean, in standardized units.
        signal: Variance of the function, in standardized units.
        noise: Noise variance, in standardized units.
        center: Subtracted to standardize, in the outcome's units.
        scale: Divided by to standardize, in the outcome's units.
    """

    X: np.ndarray
    y: np.ndarray
    correlation: Callable[[np.ndarray, np.ndarray], np.ndarray]
    constant: float
    signal: float
    noise: float
    center: float
    scale: float

    def marginals(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return posterior means and variances without noise at points, in the outcome's units. Shape `r` each."""
        k = self.signal * self.correlation(self.X, X)  # n x r
        root, _ = dtrtrs(self._cholesky, k, lower=1)
        mean = self.constant + self._dual @ k
        variance = np.maximum(self.signal - (root**2).sum(axis=0), MIN_VARIANCE)
        return self.center + self.scale * mean, self.scale**2 * variance

    def noisy_sd(self, variance: np.ndarray) -> np.ndarray:
        """Return standard deviations of measurements where the function has such variances, in the outcome's units."""
        return np.sqrt(variance + self.noise * self.scale**2)

    def draw(self, X: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw functions from the posterior at points, in standardized units. Shape `n x r`."""
        k = self.signal * self.correlation(self.X, X)
        root, _ = dtrtrs(self._cholesky, k, lower=1)
        covariance = self.signal * self.correlation(X, X) - root.T @ root
        values, vectors = np.linalg.eigh(covariance)
        factor = vectors * np.sqrt(np.maximum(values, 0.0))
        mean = self.constant + self._dual @ k
        return cast(np.ndarray, mean + rng.standard_normal((n, len(X))) @ factor.T)

    def with_pending(self, X: np.ndarray) -> ExactGP:
        """Return the process after points, shape `q x d`, were measured and gave their posterior means."""
        y = (self.marginals(X)[0] - self.center) / self.scale
        return replace(self, X=np.vstack([self.X, X]), y=np.append(self.y, y))

    @cached_property
    def _cholesky(self) -> np.ndarray:
        K = self.signal * self.correlation(self.X, self.X) + self.noise * np.eye(len(self.X))
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


def greedy_log_ei(gp: ExactGP, X: np.ndarray, is_taken: np.ndarray, best_f: float, n: int) -> tuple[int, ...]:
    """Take the best LogEI among candidates not taken yet, `n` times, pending ones believed at their mean.

    Args:
        gp: The model, outcomes signed so that more is better.
        X: Candidates. Shape `N x d`.
        is_taken: Which are measured. Shape `N`.
        best_f: Best outcome so far.
        n: How many to choose.

    Returns:
        Indices of candidates in the order chosen; ties go to the lowest.
    """
    is_taken = is_taken.copy()
    chosen: list[int] = []
    while len(chosen) < n:
        if chosen:
            best_f = max(best_f, gp.marginals(X[chosen[-1:]])[0].item())
            gp = gp.with_pending(X[chosen[-1:]])
        value = np.where(is_taken, -np.inf, log_ei(*gp.marginals(X), best_f))
        chosen.append(int(value.argmax()))
        is_taken[chosen[-1]] = True
    return tuple(chosen)
