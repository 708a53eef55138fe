"""What is measured of predictions and of searches, defined once: NLPD, CRPS, PIT, regret, experiments to the top.

Predictions are Gaussian mixtures of the noisy outcome in raw units: `log_weights` (shape `r x k`, or `k` when shared by
all points), `means` and `sds` (shape `r x k`). Searches are outcomes in the order run, beside the outcomes of all
candidates; `goal` says whether more or less is better. Experiments are counted from one.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from scipy.special import logsumexp, ndtr

from discovery.errors import InputError

Goal = Literal["maximize", "minimize"]
AUC_FIRST, AUC_LAST = 5, 30  # regret_auc is the mean over these experiments, both inclusive
TOLERANCE = 1e-9  # on normalized regret: 95 of 100 is within 5 % whatever the last bit says


def log_density(y: np.ndarray, log_weights: np.ndarray, means: np.ndarray, sds: np.ndarray) -> np.ndarray:
    """Return the log density that mixtures give to outcomes, per raw unit.

    Args:
        y: Measured outcomes. Shape `r`.
        log_weights: Shape `r x k` or `k`.
        means: Shape `r x k`.
        sds: Shape `r x k`.

    Returns:
        Shape `r`.
    """
    z = (np.asarray(y)[:, None] - means) / sds
    return cast(np.ndarray, logsumexp(log_weights - 0.5 * z**2 - np.log(sds) - 0.5 * np.log(2 * np.pi), axis=-1))


def nlpd(y: np.ndarray, log_weights: np.ndarray, means: np.ndarray, sds: np.ndarray) -> float:
    """Return the mean negative log predictive density, in nats; less is better."""
    return float(-log_density(y, log_weights, means, sds).mean())


def crps_gaussian_mixture(y: np.ndarray, log_weights: np.ndarray, means: np.ndarray, sds: np.ndarray) -> np.ndarray:
    """Return the continuous ranked probability score per point, in raw units; less is better.

    `sum_i w_i A(y - mu_i, s_i) - 1/2 sum_ij w_i w_j A(mu_i - mu_j, sqrt(s_i^2 + s_j^2))` with
    `A(m, s) = 2 s phi(m/s) + m (2 Phi(m/s) - 1)`.

    Returns:
        Shape `r`.

    Source:
        Grimit, Gneiting, Berrocal, Johnson (2006), equation 5; departures: none.
    """
    weights = np.broadcast_to(np.exp(log_weights), np.shape(means))
    to_outcome = (weights * _expected_distance(np.asarray(y)[:, None] - means, sds)).sum(axis=-1)
    between = _expected_distance(
        means[..., :, None] - means[..., None, :], np.hypot(sds[..., :, None], sds[..., None, :])
    )
    return cast(np.ndarray, to_outcome - 0.5 * np.einsum("ri,rj,rij->r", weights, weights, between))


def _expected_distance(m: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return `E|Z|` for `Z` normal with mean `m` and standard deviation `s`."""
    z = m / s
    return cast(np.ndarray, 2 * s * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + m * (2 * ndtr(z) - 1))


def pit(y: np.ndarray, log_weights: np.ndarray, means: np.ndarray, sds: np.ndarray) -> np.ndarray:
    """Return the probability integral transform: the predicted probability of at most `y`; uniform when calibrated.

    Returns:
        Shape `r`, in `[0, 1]`.
    """
    z = (np.asarray(y)[:, None] - means) / sds
    return cast(np.ndarray, np.clip((np.exp(log_weights) * ndtr(z)).sum(axis=-1), 0.0, 1.0))


def quantile(p: float, log_weights: np.ndarray, means: np.ndarray, sds: np.ndarray) -> np.ndarray:
    """Return the outcome below which a mixture puts probability `p`, by bisection to the last digits.

    Args:
        p: Probability, between 0 and 1.
        log_weights: Shape `r x k` or `k`.
        means: Shape `r x k`.
        sds: Shape `r x k`.

    Returns:
        Shape `r`, raw units.
    """
    low, high = (means - 10 * sds).min(axis=-1), (means + 10 * sds).max(axis=-1)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = pit(middle, log_weights, means, sds) < p
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return cast(np.ndarray, (low + high) / 2)


def coverage(pit_values: np.ndarray, level: float = 0.9) -> float:
    """Return the share of outcomes inside the central prediction interval of a level, from their PIT values."""
    tail = (1.0 - level) / 2.0
    return float(((pit_values >= tail) & (pit_values <= 1.0 - tail)).mean())


def calibration_error(pit_values: np.ndarray) -> float:
    """Return `mean over q of |share of PIT values at most q - q|`, q = 0.05, 0.10, ..., 0.95; 0 when calibrated.

    Source:
        Kuleshov, Fenner, Ermon (2018), section 3.5, with absolute in place of squared differences.
    """
    levels = np.arange(1, 20) / 20
    shares = (np.asarray(pit_values)[:, None] <= levels).mean(axis=0)
    return float(np.abs(shares - levels).mean())


def pit_ks(pit_values: np.ndarray) -> float:
    """Return the largest distance between the distribution of PIT values and the uniform one, in `[0, 1]`."""
    ranked = np.sort(np.asarray(pit_values, dtype=float))
    steps = np.arange(len(ranked) + 1) / len(ranked)
    return float(max((steps[1:] - ranked).max(), (ranked - steps[:-1]).max()))


def rmse(y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the root mean squared error, in raw units."""
    return float(np.sqrt(np.mean((np.asarray(y) - np.asarray(predicted)) ** 2)))


def spearman(y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the rank correlation (ties get their mean rank); 0 where either side is constant."""
    a, b = _ranks(y), _ranks(predicted)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 1, ties at the mean of their ranks."""
    _, group, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return cast(np.ndarray, (last - (counts - 1) / 2.0)[group])


def delta_auprc(is_active: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision of a ranking less the share of actives, which is what chance gives.

    Args:
        is_active: True where the outcome is on the wanted side of the threshold. Shape `r`.
        scores: Predicted; more means more likely active. Shape `r`; equal scores enter together.

    Returns:
        The difference, NaN where nothing is active.

    Source:
        Stanley et al. (2021), FS-Mol, section 5; departures: none.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits, ranked = np.asarray(is_active, dtype=float)[order], np.asarray(scores)[order]
    if hits.sum() == 0:
        return float("nan")
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # last position of each group of equal scores
    found = np.cumsum(hits)[ends]
    precision, gained = found / (ends + 1), np.diff(found, prepend=0.0) / hits.sum()
    return float((precision * gained).sum() - hits.mean())


def best_so_far(outcomes: np.ndarray, goal: Goal) -> np.ndarray:
    """Return the best outcome after each experiment, raw units. Shape as `outcomes`."""
    running = np.maximum if goal == "maximize" else np.minimum
    return running.accumulate(np.asarray(outcomes, dtype=float))


def simple_regret(outcomes: np.ndarray, pool_outcomes: np.ndarray, goal: Goal) -> np.ndarray:
    """Return `(best - best so far) / (best - worst)` after each experiment; 0 where all candidates are equal.

    Args:
        outcomes: Outcomes in the order run, raw units. Shape `n`.
        pool_outcomes: Outcomes of all candidates, raw units.
        goal: Whether more or less is better.

    Returns:
        Shape `n`, in `[0, 1]`.
    """
    best, worst = _best_and_worst(pool_outcomes, goal)
    span = best - worst
    so_far = best_so_far(outcomes, goal)
    return cast(np.ndarray, (best - so_far) / span) if span != 0 else np.zeros(len(so_far))


def experiments_to_top(outcomes: np.ndarray, pool_outcomes: np.ndarray, percent: float, goal: Goal) -> int:
    """Return the number of experiments to the first of the best `max(1, round(percent * n / 100))`, ties included.

    Args:
        outcomes: Outcomes in the order run, raw units.
        pool_outcomes: Outcomes of all candidates, raw units. Shape `n`.
        percent: Which share counts as the top; 0 means the best alone (with its ties).
        goal: Whether more or less is better.

    Returns:
        Counted from one; the number run plus one where it was not reached.

    Raises:
        InputError: If there are no candidates.
    """
    sign = 1.0 if goal == "maximize" else -1.0
    ranked = np.sort(sign * np.asarray(pool_outcomes, dtype=float))[::-1]
    if len(ranked) == 0:
        raise InputError("Experiments to the top must be counted over at least one candidate; got none.")
    threshold = ranked[max(1, round(percent * len(ranked) / 100)) - 1]
    return _first(sign * np.asarray(outcomes, dtype=float) >= threshold)


def experiments_to_regret(outcomes: np.ndarray, pool_outcomes: np.ndarray, level: float, goal: Goal) -> int:
    """Return the number of experiments until the normalized regret is at most `level` (0.05 for 5 %).

    Returns:
        Counted from one; the number run plus one where it was not reached.
    """
    return _first(simple_regret(outcomes, pool_outcomes, goal) <= level + TOLERANCE)


def regret_auc(outcomes: np.ndarray, pool_outcomes: np.ndarray, goal: Goal) -> float:
    """Return the mean normalized regret over experiments 5 to 30, both inclusive.

    Where fewer than 30 were run the mean goes to the last; where fewer than 5 were run it is the last one's regret.
    """
    regret = simple_regret(outcomes, pool_outcomes, goal)
    return float(regret[min(AUC_FIRST, len(regret)) - 1 : AUC_LAST].mean())


def _best_and_worst(pool_outcomes: np.ndarray, goal: Goal) -> tuple[float, float]:
    """Return the best and the worst outcome among all candidates."""
    values = np.asarray(pool_outcomes, dtype=float)
    if len(values) == 0:
        raise InputError("Regret must be computed over at least one candidate; got none.")
    low, high = float(values.min()), float(values.max())
    return (high, low) if goal == "maximize" else (low, high)


def _first(is_reached: np.ndarray) -> int:
    """Return the 1-based position of the first True, or the length plus one."""
    positions = np.flatnonzero(is_reached)
    return int(positions[0]) + 1 if len(positions) else len(is_reached) + 1
