"""What it costs to change settings from one experiment to the next, and the order in which that costs least.

A change is a parameter whose coordinates differ between two experiments that follow each other; it costs what the
campaign says, in units of the objective, however large it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from discovery.space import SearchSpace

SAME = 1e-9  # coordinates nearer than this are the same setting
MAX_EXACT = 10  # different settings in a batch whose best order is found exactly


@dataclass(frozen=True)
class Changeover:
    """Costs of changes.

    Attributes:
        costs: Cost of changing each parameter, raw units of the objective. Length `k`.
        slices: Its coordinates. Length `k`.
    """

    costs: tuple[float, ...]
    slices: tuple[slice, ...]

    @classmethod
    def of(cls, costs: Mapping[str, float], space: SearchSpace) -> Changeover:
        """Look up where parameters stand in the encoding.

        Args:
            costs: Cost by parameter, raw units of the objective.
            space: The campaign's space.
        """
        place = dict(zip(space.names, space.slices, strict=True))
        return cls(tuple(costs.values()), tuple(place[name] for name in costs))

    @property
    def slack(self) -> float:
        """Costs nearer than this are equal, raw units of the objective."""
        return SAME * min(self.costs)

    def between(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return what it costs to go from configurations to others. Shapes `a x d`, `b x d` to `a x b`."""
        total = np.zeros((len(A), len(B)))
        for cost, part in zip(self.costs, self.slices, strict=True):
            total += cost * (np.abs(A[:, None, part] - B[None, :, part]).max(axis=-1) > SAME)
        return total

    def extra(self, X: np.ndarray, sequence: np.ndarray) -> np.ndarray:
        """Return what each configuration adds to the cost of a sequence, put where that is least.

        Args:
            X: Configurations. Shape `n x d`.
            sequence: Experiments in their order; the first one is behind us, so nothing can come before it. With none
                nothing is added. Shape `s x d`.

        Returns:
            Shape `n`.
        """
        if not len(sequence):
            return np.zeros(len(X))
        to = self.between(X, sequence)  # n x s
        detours = to[:, :-1] + to[:, 1:] - np.diag(self.between(sequence[:-1], sequence[1:]))
        return np.column_stack([detours, to[:, -1]]).min(axis=1)

    def total(self, sequence: np.ndarray) -> float:
        """Return what a sequence costs. Shape `s x d`."""
        return float(np.trace(self.between(sequence[:-1], sequence[1:]))) if len(sequence) else 0.0

    def order(self, X: np.ndarray, last: np.ndarray | None = None) -> list[int]:
        """Return the order of a batch that costs least; the order as it is where no other costs less.

        Exact up to `MAX_EXACT` different settings; beyond, each setting is put where it adds least.

        Args:
            X: The batch. Shape `q x d`.
            last: The experiment before it, or None. Shape `d`.
        """
        dims = [d for part in self.slices for d in range(part.start, part.stop)]
        _, seen, group = np.unique(X[:, dims].round(9), axis=0, return_index=True, return_inverse=True)
        settings = np.sort(seen)  # first member of every group, in the order of the batch
        groups = [np.flatnonzero(group == group[i]).tolist() for i in settings]
        start = np.zeros(len(settings)) if last is None else self.between(last[None], X[settings])[0]
        start = start + self.slack * np.arange(len(settings))  # of orders that cost the same, the one as it was chosen
        step = self.between(X[settings], X[settings])
        path = _exact(start, step) if len(settings) <= MAX_EXACT else _inserted(start, step)
        best = [i for g in path for i in groups[g]]
        front = X[:0] if last is None else last[None]
        is_less = self.total(np.vstack([front, X[best]])) < self.total(np.vstack([front, X])) - self.slack
        return best if is_less else list(range(len(X)))


def _exact(start: np.ndarray, step: np.ndarray) -> list[int]:
    """Find the cheapest path through all settings by dynamic programming over sets (Held and Karp, 1962).

    Args:
        start: Cost of each as the first. Shape `m`.
        step: Cost from each to each. Shape `m x m`.
    """
    m = len(start)
    cost, before = np.full((2**m, m), np.inf), np.full((2**m, m), -1)
    cost[2 ** np.arange(m), np.arange(m)] = start
    for visited in range(1, 2**m):
        for j in np.flatnonzero((visited >> np.arange(m)) & 1):
            rest = visited & ~(1 << int(j))
            if rest:
                via = cost[rest] + step[:, j]
                before[visited, j] = int(via.argmin())
                cost[visited, j] = via.min()
    visited, path = 2**m - 1, [int(cost[-1].argmin())]
    while before[visited, path[-1]] >= 0:
        previous = int(before[visited, path[-1]])
        visited &= ~(1 << path[-1])
        path.append(previous)
    return path[::-1]


def _inserted(start: np.ndarray, step: np.ndarray) -> list[int]:
    """Put settings one after the other where each adds least to a path. Shapes `m`, `m x m`."""
    path: list[int] = []
    for j in range(len(start)):
        into = [start[j], *step[path, j]]
        away = [*step[j, path], 0.0]
        along = [*(step[a, b] for a, b in pairwise(path)), 0.0]
        was = [start[path[0]] if path else 0.0, *along]
        path.insert(int(np.argmin(np.array(into) + away - np.array(was))), j)
    return path
