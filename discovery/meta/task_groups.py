"""Groups of earlier tasks: which of them could be drawn from one prior, found by the evidence for it.

Tasks of one group share a function and differ from it: their outcomes at rows `i` and `j` have covariance
`v r K_ij` between tasks and `v K_ij` within one. The evidence of a group is then that of one Gaussian process over all
of its rows, so that merging groups, and saying where a task belongs, are comparisons of evidence.

Source:
    Heller and Ghahramani (2005), Bayesian hierarchical clustering (merging by evidence); Rasmussen (2000), The
    infinite Gaussian mixture model (the prior over partitions). Departures: greedy, and merged where evidence gains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from discovery.meta.geometry import Geometry
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.multi_task import Coregionalized, coregionalize
from discovery.tasks.task import TaskBatch

CONCENTRATION = 1.0  # of the prior over partitions: how readily a task is a group of its own
LIKENESS = (0.6, 0.8, 0.95)  # correlations inside a group that are tried
JITTER = 1e-6
Group = tuple[int, ...]


@dataclass(frozen=True)
class Groups:
    """A partition of tasks, and how surely each belongs where it is.

    Attributes:
        members: Tasks of each group, the largest group first.
        responsibility: Probability that a task belongs to a group, given the outcomes of all others; the last column is
            that of a group of its own. Shape `t x (g + 1)`.
        log_evidence: Of all outcomes under the partition and its prior.
        likeness: Correlation inside groups.
    """

    members: tuple[Group, ...]
    responsibility: Tensor
    log_evidence: float
    likeness: float


@dataclass
class _Evidence:
    """Log evidence of groups of tasks, each computed once."""

    K: Tensor  # N x N, of a task's function
    residual: Tensor  # N
    task: Tensor  # N
    likeness: float
    level: Tensor  # variance of a task's level
    noise: Tensor  # variance
    known: dict[Group, float] = field(default_factory=dict)

    def __call__(self, group: Sequence[int]) -> float:
        """Return the log evidence of one group; zero for none."""
        key = tuple(sorted(group))
        if not key:
            return 0.0
        if key not in self.known:
            rows = torch.isin(self.task, torch.tensor(key, device=self.task.device))
            task, y = self.task[rows], self.residual[rows]
            same = (task[:, None] == task).to(y.dtype)
            K = self.K[rows][:, rows] * (self.likeness + (1 - self.likeness) * same) + self.level * same
            factor = torch.linalg.cholesky(
                K + (self.noise + JITTER) * torch.eye(len(y), dtype=y.dtype, device=y.device)
            )
            z = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
            log_det = torch.diagonal(factor).log().sum()
            self.known[key] = float(-0.5 * z.square().sum() - log_det - 0.5 * len(y) * math.log(2 * math.pi))
        return self.known[key]


def find_groups(batch: TaskBatch, geometry: Geometry) -> Groups:
    """Find the groups of some tasks, with the likeness inside them that has the most evidence.

    Args:
        batch: Tasks with standardized outcomes, few rows of each; bounds are left out.
        geometry: Blocks of their space.
    """
    found = coregionalize(batch, geometry)
    return max((_grouped(batch, geometry, found, likeness) for likeness in LIKENESS), key=lambda one: one.log_evidence)


def _grouped(batch: TaskBatch, geometry: Geometry, found: Coregionalized, likeness: float) -> Groups:
    t, measured = batch.n_tasks, batch.measured
    task = torch.arange(t, device=measured.device)[:, None].expand(measured.shape)[measured]
    Z = batch.X[measured] * geometry.inverse_lengthscales(found.lengthscale)
    K = torch.diagonal(found.covariance).mean() * matern52(squared_distance(Z, Z))
    residual = batch.Y[..., 0][measured] - found.offset
    evidence = _Evidence(K, residual, task, likeness, found.offset_sd.square(), found.noise.square())
    groups = merged([(i,) for i in range(t)], evidence)
    total = sum(evidence(group) + _log_prior(len(group)) for group in groups)
    return Groups(tuple(groups), _responsibility(groups, t, evidence).to(batch.X), total, likeness)


def merged(groups: list[Group], evidence: _Evidence) -> list[Group]:
    """Merge groups two by two as long as evidence and prior gain by it; the largest group first."""

    def gain(a: Group, b: Group) -> float:
        prior = _log_prior(len(a) + len(b)) - _log_prior(len(a)) - _log_prior(len(b))
        return evidence(a + b) - evidence(a) - evidence(b) + prior

    gains = {(a, b): gain(a, b) for i, a in enumerate(groups) for b in groups[i + 1 :]}
    while gains:
        a, b = max(gains, key=lambda pair: gains[pair])
        if gains[a, b] <= 0:
            break
        both = tuple(sorted(a + b))
        gains = {pair: value for pair, value in gains.items() if not {a, b} & set(pair)}
        groups = [group for group in groups if group not in (a, b)]
        gains |= {(group, both): gain(group, both) for group in groups}
        groups.append(both)
    return sorted(groups, key=lambda group: (-len(group), group))


def _log_prior(n: int) -> float:
    """Log prior of a group of `n` tasks, up to what all partitions share (Chinese restaurant process)."""
    return math.log(CONCENTRATION) + math.lgamma(n)


def _responsibility(groups: Sequence[Group], t: int, evidence: _Evidence) -> Tensor:
    """Probability of each task's group given all other tasks. Shape `t x (g + 1)`."""
    rows = []
    for i in range(t):
        odds = []
        for group in groups:
            others = tuple(j for j in group if j != i)
            odds.append(evidence((*others, i)) - evidence(others) + math.log(len(others)) if others else -math.inf)
        rows.append([*odds, evidence((i,)) + math.log(CONCENTRATION)])
    return torch.softmax(torch.tensor(rows, dtype=torch.float64), dim=1)
