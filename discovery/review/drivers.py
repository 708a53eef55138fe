"""What drives a prediction: Shapley values of the parameters, against what is typical for the space.

A parameter's value is what it adds to the prediction when the others are set one after the other, averaged over all
orders. A parameter that is not set yet takes its values from a background of typical configurations. The values sum to
the prediction at the proposal minus the mean over the background, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

N_EXACT = 8  # parameters up to which all coalitions are looked at
N_ROWS = 4096  # configurations that are predicted, at most
N_BACKGROUND = 64  # typical configurations, at most
N_LEAST = 16  # of them, however many parameters there are

Value = Callable[[np.ndarray], np.ndarray]
"""Predicts configurations: encoded rows of shape `n x d` to values of shape `n` or `n x k`."""


@dataclass(frozen=True)
class Contributions:
    """What each parameter adds, for every value that is explained.

    Attributes:
        values: Shapley values. Shape `p` or `p x k`.
        start: Mean over the background. A scalar or shape `k`.
        end: Value at the configuration that is explained; `start` plus the sum of `values`.
        is_exact: Whether all coalitions were looked at; else orders were drawn.
    """

    values: np.ndarray
    start: np.ndarray
    end: np.ndarray
    is_exact: bool


def shapley(
    value: Value, x: np.ndarray, background: np.ndarray, groups: Sequence[slice], rng: np.random.Generator
) -> Contributions:
    """Share a prediction out among parameters.

    Args:
        value: What is explained.
        x: The configuration. Shape `d`.
        background: Typical configurations. Shape `n x d`, at least one; at most as many are used as rows allow.
        groups: Coordinates of every parameter.
        rng: Chooses among the background where there is more than needed, and orders where not all are looked at.

    Returns:
        Exact values for at most `N_EXACT` parameters; else averages over drawn orders, each with its reverse. Both sum
        to the difference of the ends exactly.

    Source:
        Štrumbelj and Kononenko (2014), Explaining prediction models and individual predictions with feature
        contributions, equations 3 and 7; departures: orders come with their reverse, and every background row has as
        many orders as any other, so that the sum stays exact.
    """
    is_exact = len(groups) <= N_EXACT
    n = max(N_LEAST, min(N_BACKGROUND, N_ROWS // 2 ** min(len(groups), N_EXACT)))
    typical = background if len(background) <= n else background[np.sort(rng.choice(len(background), n, replace=False))]
    owner = np.empty(len(x), dtype=np.int64)
    for k, group in enumerate(groups):
        owner[group] = k
    values = _exact(value, x, typical, owner, len(groups)) if is_exact else _drawn(value, x, typical, owner, rng)
    ends = value(np.vstack([typical, x]))
    return Contributions(values, ends[:-1].mean(0), ends[-1], is_exact)


def _exact(value: Value, x: np.ndarray, typical: np.ndarray, owner: np.ndarray, p: int) -> np.ndarray:
    """Average what a parameter adds over all coalitions of the others. Shape `p [x k]`."""
    coalitions = np.arange(2**p)
    is_set = (coalitions[:, None] >> np.arange(p)) & 1 == 1  # c x p
    rows = np.where(is_set[:, None, owner], x, typical)  # c x b x d
    worth = value(rows.reshape(-1, len(x)))
    worth = worth.reshape(len(coalitions), len(typical), *worth.shape[1:]).mean(1)  # c [x k]
    size = is_set.sum(1)
    weight = np.array([factorial(s) * factorial(max(p - s - 1, 0)) / factorial(p) for s in range(p + 1)])
    added = []
    for k in range(p):
        without = coalitions[~is_set[:, k]]
        gained = worth[without | (1 << k)] - worth[without]
        added.append(np.tensordot(weight[size[without]], gained, axes=1))
    return np.array(added)


def _drawn(value: Value, x: np.ndarray, typical: np.ndarray, owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Average what a parameter adds over drawn orders, for every background row. Shape `p [x k]`."""
    p, b = int(owner.max()) + 1, len(typical)
    n_orders = 2 * max(1, N_ROWS // (2 * b * (p + 1)))
    half = rng.permuted(np.tile(np.arange(p), (b, n_orders // 2, 1)), axis=-1)
    order = np.concatenate([half, half[..., ::-1]], axis=1)  # b x o x p: which parameter is set when
    place = np.argsort(order, axis=-1)  # b x o x p: when a parameter is set
    is_set = place[..., None, :] < np.arange(p + 1)[:, None]  # b x o x (p + 1) x p
    rows = np.where(is_set[..., owner], x, typical[:, None, None, :])
    worth = value(rows.reshape(-1, len(x)))
    steps = np.diff(worth.reshape(b, n_orders, p + 1, *worth.shape[1:]), axis=2)  # b x o x p [x k]
    where = place if steps.ndim == place.ndim else place[..., None]
    return np.take_along_axis(steps, where, axis=2).mean((0, 1))
