"""Bernoulli bandits: arms that pay one or nothing, with probabilities that are hidden. The classic of meta-RL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class BernoulliBandit:
    """Arms whose chances are uniform between 0 and 1.

    Attributes:
        n_actions: Arms.
        n_episodes: Pulls of a task; each is an episode of one step.
    """

    name: ClassVar[str] = "bernoulli_bandit"
    field: ClassVar[str] = "generic"
    source: ClassVar[str] = "Duan et al. (2016), RL²: fast reinforcement learning via slow reinforcement learning"
    n_observed: ClassVar[int] = 1
    n_steps: ClassVar[int] = 1

    n_actions: int = 5
    n_episodes: int = 10

    def draw(self, n_tasks: int, generator: torch.Generator, device: torch.device | str = "cpu") -> Tensor:
        """Draw the chances. Shape `t x n_actions`."""
        return torch.rand(n_tasks, self.n_actions, generator=generator).to(device)

    def reset(self, hidden: Tensor) -> Tensor:
        """Nothing changes from pull to pull. Shape `t x 1`."""
        return torch.zeros_like(hidden[:, :1])

    def observe(self, state: Tensor) -> Tensor:
        """Return nothing of interest. Shape `t x 1`."""
        return state

    def step(self, hidden: Tensor, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pull an arm; the reward is 1 with the arm's chance, otherwise 0."""
        chance = hidden.gather(-1, action[:, None])[:, 0]
        return state, (torch.rand(chance.shape, generator=generator).to(chance) < chance).to(chance)
