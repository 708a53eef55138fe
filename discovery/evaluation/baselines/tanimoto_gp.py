"""The standard model for molecules: a Gaussian process with the Tanimoto kernel on fingerprints, and LogEI.

Fingerprints are those of the space's encoding. The kernel has no lengthscale; its two variances maximize evidence times
prior on a grid, the mean is the best for each. Elsewhere than on molecules it compares the levels of one-hot columns,
which is not what it is meant for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discovery.evaluation.baselines.cold import ColdMethod, ColdPredictor
from discovery.evaluation.baselines.exact_gp import ExactGP, greedy_log_ei
from discovery.evaluation.baselines.similarity import sets_of, tanimoto
from discovery.evaluation.methods import BacktestContext, Seen

SIGNALS = np.geomspace(0.05, 10.0, 24)  # variance of the function, of standardized outcomes
NOISES = np.geomspace(1e-3, 3.0, 32)
SIGNAL_PRIOR = (0.0, 1.0)  # mean and standard deviation of the logarithm
NOISE_PRIOR = (float(np.log(0.2)), 1.0)


@dataclass
class TanimotoGPMethod(ColdMethod):
    """Take the candidate with the highest LogEI; a batch one by one, pending ones believed at their mean."""

    name: str = "tanimoto_gp"

    def search(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> tuple[int, ...]:
        """Return the next candidates by LogEI."""
        sets = sets_of(context)
        y = context.sign * np.asarray(seen.outcomes)
        gp = fit_tanimoto(sets[list(seen.indices)], y)
        return greedy_log_ei(gp, sets, seen.is_taken(len(sets)), float(y.max()), n)


@dataclass
class TanimotoGPPredictor(ColdPredictor):
    """Predict with the Gaussian process that `TanimotoGPMethod` searches with."""

    name: str = "tanimoto_gp"

    def moments(
        self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the posterior's moments."""
        sets = sets_of(context)
        gp = fit_tanimoto(sets[list(support.indices)], np.asarray(support.outcomes))
        mean, variance = gp.marginals(sets[query])
        return mean, gp.noisy_sd(variance)


def fit_tanimoto(sets: np.ndarray, y: np.ndarray) -> ExactGP:
    """Fit the two variances and the mean to outcomes.

    In the eigenbasis of the correlations the evidence of every pair of variances is a sum over `n` numbers. The mean
    has a standard normal prior, in units of the outcomes' spread.

    Args:
        sets: Measured candidates as weighted sets. Shape `n x f`.
        y: Outcomes. Shape `n`.
    """
    center, spread = float(y.mean()), float(y.std(ddof=1))
    scale = spread if spread > 1e-8 else 1.0
    z = (y - center) / scale
    values, vectors = np.linalg.eigh(tanimoto(sets, sets))
    turned, ones = vectors.T @ z, vectors.sum(axis=0)
    signal, noise = (grid.reshape(-1) for grid in np.meshgrid(SIGNALS, NOISES, indexing="ij"))
    variance = signal[:, None] * np.maximum(values, 0.0) + noise[:, None]  # pairs x n
    mean = (ones * turned / variance).sum(axis=1) / ((ones**2 / variance).sum(axis=1) + 1.0)
    residual = turned - mean[:, None] * ones
    evidence = -0.5 * (residual**2 / variance + np.log(variance)).sum(axis=1) - 0.5 * mean**2
    best = int((evidence + _log_prior(signal, *SIGNAL_PRIOR) + _log_prior(noise, *NOISE_PRIOR)).argmax())
    return ExactGP(
        X=sets,
        y=z,
        correlation=tanimoto,
        constant=float(mean[best]),
        signal=float(signal[best]),
        noise=float(noise[best]),
        center=center,
        scale=scale,
    )


def _log_prior(variance: np.ndarray, loc: float, sd: float) -> np.ndarray:
    """Return the log density of a log-normal, per unit of the logarithm, up to a constant."""
    return -0.5 * ((np.log(variance) - loc) / sd) ** 2
