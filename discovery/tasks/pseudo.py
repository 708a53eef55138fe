"""Pseudo-tasks: tasks made up from candidates of which no outcome is known.

Three kinds, a third each: random smooth functions of the candidates' leading directions; clusters, whose levels are
drawn at random and seen through distances to their centers; columns of the candidates' own description, each with a
random weight, as targets. Distances are those of the candidates themselves, so that what hangs together among them
hangs together in the tasks.

Source:
    Hsu et al. (2019), Unsupervised learning via meta-learning (clusters in randomly scaled embeddings as labels);
    departures: regression, random functions and described properties beside clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from discovery.errors import ConfigurationError
from discovery.space.space import SearchSpace
from discovery.tasks.task import TaskBatch

N_DIRECTIONS = 12  # leading directions of the candidates that functions are made of
N_WAVES = 64  # of a random function
MOST_CANDIDATES = 2048
FEWEST_CANDIDATES = 10
LENGTHSCALE_LOG_SD = 0.6  # around the typical distance of two candidates
CLUSTERS = (3, 9)  # fewest and most of a task
N_TARGETS = 3  # columns that a target adds up
NOISE_LOG = (math.log(0.1), 0.5)  # of a standardized outcome: location and spread of its logarithm


@dataclass(frozen=True)
class PseudoTasks:
    """A distribution of made-up tasks on a set of candidates.

    Attributes:
        X: Encoded candidates. Shape `n x d`.
        name: Name in checkpoints.
    """

    X: Tensor
    name: str = "pseudo_tasks"

    @classmethod
    def of(cls, X: np.ndarray | Tensor, seed: int = 0) -> PseudoTasks:
        """Keep at most `MOST_CANDIDATES` of the candidates.

        Raises:
            ConfigurationError: If there are fewer than `FEWEST_CANDIDATES`.
        """
        rows = torch.unique(torch.as_tensor(X, dtype=torch.float64), dim=0)
        if len(rows) < FEWEST_CANDIDATES:
            raise ConfigurationError(
                f"Pseudo-tasks need {FEWEST_CANDIDATES} different candidates at least; got {len(rows)}.",
                "List them under `candidates`.",
            )
        kept = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:MOST_CANDIDATES]
        return cls(rows[kept.sort().values])

    def bind(self, space: SearchSpace) -> PseudoTasks:
        """Return itself: candidates are encoded already.

        Raises:
            ConfigurationError: If the space has other columns.
        """
        if space.n_dims != self.X.shape[1]:
            raise ConfigurationError(
                f"Candidates of pseudo-tasks must have the space's {space.n_dims} columns; got {self.X.shape[1]}."
            )
        return self

    def sample(
        self,
        n_tasks: int,
        n_points: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        points: Tensor | None = None,
    ) -> TaskBatch:
        """Draw tasks; see `TaskDistribution.sample`. Outcomes of a task have mean zero and variance one on its rows."""
        n = len(self.X)
        if points is None:
            rows = torch.rand(n_tasks, n, generator=generator).argsort(dim=1)[:, :n_points]
            rows = rows if n >= n_points else torch.randint(n, (n_tasks, n_points), generator=generator)
            X = self.X[rows]
        else:
            X = points.cpu().expand(n_tasks, -1, -1)
        made = torch.stack([self._functions(X, generator), self._clusters(X, generator), self._targets(X, generator)])
        kind = torch.arange(n_tasks) % len(made)
        truth = made[kind, torch.arange(n_tasks)]
        truth = truth - truth.mean(1, keepdim=True)
        truth = truth / truth.square().mean(1, keepdim=True).sqrt().clamp_min(1e-9)
        noise = (NOISE_LOG[0] + NOISE_LOG[1] * torch.randn(n_tasks, 1, generator=generator, dtype=torch.float64)).exp()
        Y = truth + noise * torch.randn(truth.shape, generator=generator, dtype=torch.float64)
        return TaskBatch(
            X=X.to(device),
            Y=Y[..., None].to(device),
            mask=torch.ones(Y.shape, dtype=torch.bool, device=device),
            task_ids=tuple(f"{self.name} {i}" for i in range(n_tasks)),
            truth={"Y": truth[..., None].to(device)},
        )

    def _directions(self) -> tuple[Tensor, Tensor]:
        """Return the candidates' mean, and directions in which their typical squared distance is two. Shape `d x k`."""
        center = self.X.mean(0)
        _, singular, across = torch.linalg.svd(self.X - center, full_matrices=False)
        k = min(N_DIRECTIONS, int((singular > 1e-9).sum()))
        total = singular[:k].square().sum().sqrt() / math.sqrt(len(self.X))
        return center, across[:k].T / total.clamp_min(1e-9)

    def _functions(self, X: Tensor, generator: torch.Generator) -> Tensor:
        """Random waves over the leading directions, each task with scales of its own. Shape `t x n`."""
        center, across = self._directions()
        t, k = len(X), across.shape[1]
        scale = (LENGTHSCALE_LOG_SD * torch.randn(t, k, generator=generator, dtype=torch.float64)).exp()
        waves = torch.randn(t, k, N_WAVES, generator=generator, dtype=torch.float64) * scale[..., None]
        phase = 2 * math.pi * torch.rand(t, 1, N_WAVES, generator=generator, dtype=torch.float64)
        size = torch.randn(t, N_WAVES, 1, generator=generator, dtype=torch.float64)
        return (torch.cos((X - center) @ across @ waves + phase) @ size)[..., 0]

    def _clusters(self, X: Tensor, generator: torch.Generator) -> Tensor:
        """Levels of clusters in randomly scaled directions, mixed by nearness. Shape `t x n`."""
        center, across = self._directions()
        t, most = len(X), CLUSTERS[1]
        scale = torch.rand(t, 1, across.shape[1], generator=generator, dtype=torch.float64) * 2
        centers = ((self.X[torch.randint(len(self.X), (t, most), generator=generator)] - center) @ across) * scale
        n = torch.randint(CLUSTERS[0], most + 1, (t, 1), generator=generator)
        level = torch.randn(t, most, generator=generator, dtype=torch.float64)
        apart = torch.cdist(((X - center) @ across) * scale, centers).square()
        near = torch.softmax(-4 * apart + torch.where(torch.arange(most) < n, 0.0, -1e9)[:, None], dim=-1)
        return (near * level[:, None]).sum(-1)

    def _targets(self, X: Tensor, generator: torch.Generator) -> Tensor:
        """Weighted sums of a few columns that vary among the candidates. Shape `t x n`."""
        varies = torch.nonzero(self.X.std(0) > 1e-9)[:, 0]
        picked = varies[torch.randint(len(varies), (len(X), N_TARGETS), generator=generator)]
        weight = (
            torch.randn(len(X), 1, N_TARGETS, generator=generator, dtype=torch.float64) / self.X.std(0)[picked][:, None]
        )
        return (X.gather(2, picked[:, None].expand(-1, X.shape[1], -1)) * weight).sum(-1)
