"""The protocol of everything that tasks can be drawn from: a simulator, the history, a source of pseudo-tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

from discovery.tasks.task import TaskBatch

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace


@runtime_checkable
class TaskDistribution(Protocol):
    """A source of tasks that live on one search space after `bind`."""

    @property
    def name(self) -> str:
        """Name in campaign files."""
        ...

    def bind(self, space: SearchSpace) -> TaskDistribution:
        """Return the distribution with its inputs mapped onto a space.

        Raises:
            ConfigurationError: If the space lacks what the distribution needs.
        """
        ...

    def sample(
        self,
        n_tasks: int,
        n_points: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        points: Tensor | None = None,
    ) -> TaskBatch:
        """Draw tasks.

        Args:
            n_tasks: Number of tasks `t`.
            n_points: Number of points `n` per task, each task at its own random configurations.
            generator: Source of all randomness; the same state gives the same batch.
            device: Where the batch is made.
            points: Encoded configurations shared by all tasks instead of random ones. Shape `n x d`; unit cube.

        Returns:
            A batch with raw outcomes; `truth["Y"]` holds them without noise.
        """
        ...
