"""Episodes: a support to read and queries to be judged on, drawn from a history or from a simulator, many at once.

Supports hold 0 to `MOST_SUPPORT` measurements; half of them are drawn as a search would leave them, with more of the
best outcomes than chance would give, because a learner that only ever reads random rows misjudges a search's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from discovery.meta.standardizing import own_units
from discovery.tasks.task import TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

MOST_SUPPORT = 30  # measurements in a support
N_ROWS = 50  # rows of a task that an episode looks at
GREED = 2.0  # how much a searched support prefers good outcomes: standard deviations, against noise of one
N_TASKS, N_CHECKED = 32, 64  # simulated tasks a step, and those that decide when to stop


@dataclass(frozen=True)
class Episodes:
    """Support and queries of `t` tasks, standardized outcomes.

    Attributes:
        X: Configurations; the support comes first. Shape `t x n x d`.
        z: Outcomes. Shape `t x n`.
        is_support: Which rows are read. Shape `t x n`, bool.
        is_query: Which rows the reader is judged on. Shape `t x n`, bool.
        tasks: Position of each task in its source; all zero where tasks are simulated. Shape `t`.
    """

    X: Tensor
    z: Tensor
    is_support: Tensor
    is_query: Tensor
    tasks: Tensor

    @property
    def n_tasks(self) -> int:
        """Number of tasks `t`."""
        return int(self.X.shape[0])


class Supply(Protocol):
    """Where episodes come from."""

    @property
    def n_sources(self) -> int:
        """Number of different tasks; 0 where every task is new."""
        ...

    def draw(self, generator: torch.Generator) -> Episodes:
        """Draw the episodes of one step of training."""
        ...

    def check(self, generator: torch.Generator) -> Episodes:
        """Draw episodes that training is judged on: every task of a history once, or fresh simulated ones."""
        ...


@dataclass(frozen=True)
class HistorySupply:
    """Episodes of the tasks of a history.

    Attributes:
        batch: The tasks, standardized (`discovery.meta.standardizing`).
        n_tasks: Tasks in a step, at most.
    """

    batch: TaskBatch
    n_tasks: int = 16

    @property
    def n_sources(self) -> int:
        """Number of tasks."""
        return self.batch.n_tasks

    def draw(self, generator: torch.Generator) -> Episodes:
        """Draw some tasks, and some rows of each."""
        return episodes(self.batch, torch.randperm(self.batch.n_tasks, generator=generator)[: self.n_tasks], generator)

    def check(self, generator: torch.Generator) -> Episodes:
        """Draw rows of every task."""
        return episodes(self.batch, torch.arange(self.batch.n_tasks), generator)


@dataclass(frozen=True)
class SimulatedSupply:
    """Episodes of simulated tasks, in units of their own pooled mean and spread: a simulator teaches shape.

    Attributes:
        distribution: The simulator, bound to the space.
        mean: Raw outcome that stands for zero.
        sd: Raw units per unit.
        device: Where tasks are made.
    """

    distribution: TaskDistribution
    mean: Tensor
    sd: Tensor
    device: torch.device

    @classmethod
    def of(cls, distribution: TaskDistribution, generator: torch.Generator, device: torch.device) -> SimulatedSupply:
        """Find a simulator's units from a few hundred tasks."""
        _, mean, sd = own_units(distribution.sample(8 * N_TASKS, N_ROWS, generator, device))
        return cls(distribution, mean, sd, device)

    @property
    def n_sources(self) -> int:
        """None: every task is new."""
        return 0

    def draw(self, generator: torch.Generator) -> Episodes:
        """Simulate the tasks of one step."""
        return self._simulate(N_TASKS, generator)

    def check(self, generator: torch.Generator) -> Episodes:
        """Simulate the tasks of a check."""
        return self._simulate(N_CHECKED, generator)

    def _simulate(self, n_tasks: int, generator: torch.Generator) -> Episodes:
        batch = self.distribution.sample(n_tasks, N_ROWS, generator, self.device)
        batch, _, _ = own_units(batch, self.mean, self.sd)
        return episodes(batch, torch.arange(n_tasks), generator, is_simulated=True)


def episodes(batch: TaskBatch, tasks: Tensor, generator: torch.Generator, *, is_simulated: bool = False) -> Episodes:
    """Split rows of some tasks into support and queries.

    Args:
        batch: Tasks with standardized outcomes, of which bounds are left out.
        tasks: Which of them. Shape `t`.
        generator: Source of randomness, on the CPU.
        is_simulated: Whether positions of tasks mean nothing.
    """
    device = batch.X.device
    real, z = batch.measured[tasks], batch.Y[tasks, :, 0]
    t, n = real.shape
    noise = torch.randn(t, n, generator=generator, dtype=torch.float64).to(device)
    signs = 2.0 * torch.randint(2, (t, 1), generator=generator).to(device) - 1
    is_searched = torch.rand(t, 1, generator=generator).to(device) < 0.5
    kept = (torch.rand(t, n, generator=generator).to(device) + 2.0 * ~real).argsort(dim=1)[:, :N_ROWS]
    X = batch.X[tasks].gather(1, kept[..., None].expand(-1, -1, batch.X.shape[2]))
    z, real, noise = z.gather(1, kept), real.gather(1, kept), noise.gather(1, kept)
    rank = noise + torch.where(is_searched, GREED * signs * z, torch.zeros_like(z))
    order = torch.where(real, rank, torch.full_like(rank, -1e9)).argsort(dim=1, descending=True)
    X, z, real = X.gather(1, order[..., None].expand(-1, -1, X.shape[2])), z.gather(1, order), real.gather(1, order)
    n_real = real.sum(1, keepdim=True)
    most = torch.minimum(n_real - 1, n_real.new_tensor(MOST_SUPPORT)).clamp_min(0)
    size = (torch.rand(t, 1, generator=generator, dtype=torch.float64).to(device) * (most + 1)).floor()
    is_support = real & (torch.arange(real.shape[1], device=device) < size)
    where = torch.zeros_like(tasks) if is_simulated else tasks
    return Episodes(X, z, is_support, real & ~is_support, where.to(device))
