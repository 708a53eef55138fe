"""The protocol of sequential control tasks: something hidden, several episodes to find it out and to make use of it.

A simulator gives many tasks at once as tensors. `discovery.registry.control_tasks` finds the installed ones by entry
point. Next in the tour: `discovery.meta.rl2`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class ControlTasks(Protocol):
    """A distribution of control tasks with discrete actions.

    Attributes:
        name: Name of the distribution.
        field: Science that it belongs to.
        source: Where mechanism and ranges come from.
        n_observed: Numbers that are observed at each step.
        n_actions: Actions to choose from.
        n_steps: Steps of an episode.
        n_episodes: Episodes of a task; what is hidden stays the same.
    """

    name: str
    field: str
    source: str
    n_observed: int
    n_actions: int
    n_steps: int
    n_episodes: int

    def draw(self, n_tasks: int, generator: torch.Generator, device: torch.device | str = "cpu") -> Tensor:
        """Draw what is hidden of each task. Shape `t x ...`."""
        ...

    def reset(self, hidden: Tensor) -> Tensor:
        """Return the state that every episode begins in. Shape `t x s`."""
        ...

    def observe(self, state: Tensor) -> Tensor:
        """Return what is seen of a state. Shape `t x s` to `t x n_observed`."""
        ...

    def step(self, hidden: Tensor, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Act.

        Args:
            hidden: What is hidden. Shape `t x ...`.
            state: The states. Shape `t x s`.
            action: One of `n_actions` for each task. Shape `t`; long.
            generator: Source of chance.

        Returns:
            The next states, shape `t x s`, and rewards, shape `t`.
        """
        ...
