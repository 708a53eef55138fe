"""Robotics: sequential control tasks in which something is hidden that only acting tells.

A point mass and an arm of two links are to reach a goal that is not shown; the reward says how near they are. They give
`discovery.tasks.control.ControlTasks`, not tables of configurations, and so have an entry point group of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

N_MOVES = 4  # forwards and backwards along two axes; nothing stands still, or not to explore would be safe


def _moves(size: float, like: Tensor) -> Tensor:
    """Return the moves along either axis. Shape `4 x 2`."""
    return size * like.new_tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])


@dataclass(frozen=True)
class PointMass:
    """A point on a plane that is to reach a hidden goal on the unit circle.

    Attributes:
        stride: Length of a move.
        n_steps: Steps of an episode.
        n_episodes: Episodes of a task.
    """

    name: ClassVar[str] = "point_mass"
    field: ClassVar[str] = "robotics"
    source: ClassVar[str] = "2-D navigation of Finn et al. (2017); goals on a circle, moves along the axes"
    n_observed: ClassVar[int] = 2
    n_actions: ClassVar[int] = N_MOVES

    stride: float = 0.25
    n_steps: int = 12
    n_episodes: int = 3

    def draw(self, n_tasks: int, generator: torch.Generator, device: torch.device | str = "cpu") -> Tensor:
        """Draw goals. Shape `t x 2`."""
        angle = 2 * math.pi * torch.rand(n_tasks, generator=generator)
        return torch.stack([angle.cos(), angle.sin()], dim=-1).to(device)

    def reset(self, hidden: Tensor) -> Tensor:
        """Begin in the middle. Shape `t x 2`."""
        return torch.zeros_like(hidden)

    def observe(self, state: Tensor) -> Tensor:
        """Return the position. Shape `t x 2`."""
        return state

    def step(self, hidden: Tensor, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Move within the square around the circle; the reward is the distance that is left, negative."""
        del generator  # nothing is left to chance
        moved = (state + _moves(self.stride, state)[action]).clamp(-1.5, 1.5)
        return moved, -(moved - hidden).norm(dim=-1)


@dataclass(frozen=True)
class Reacher:
    """An arm of two links, whose lengths are hidden too, that is to bring its tip to a hidden goal.

    Attributes:
        turn: How far a joint turns in a step, radians.
        n_steps: Steps of an episode.
        n_episodes: Episodes of a task.
    """

    name: ClassVar[str] = "reacher"
    field: ClassVar[str] = "robotics"
    source: ClassVar[str] = "planar forward kinematics of two revolute joints (Craig, Introduction to Robotics, ch. 3)"
    n_observed: ClassVar[int] = 4
    n_actions: ClassVar[int] = N_MOVES

    turn: float = 0.4
    n_steps: int = 12
    n_episodes: int = 3

    def draw(self, n_tasks: int, generator: torch.Generator, device: torch.device | str = "cpu") -> Tensor:
        """Draw goals within reach and the lengths of the links, 0.4 to 0.6 each. Shape `t x 4`."""
        unit = torch.rand(n_tasks, 4, generator=generator)
        lengths = 0.4 + 0.2 * unit[:, :2]
        angles = math.pi * (2 * unit[:, 2:] - 1) * unit.new_tensor([1.0, 0.8])
        return torch.cat([self.tip(lengths, angles), lengths], dim=-1).to(device)

    @staticmethod
    def tip(lengths: Tensor, angles: Tensor) -> Tensor:
        """Return where the tip is. Lengths and joint angles `t x 2` to `t x 2`."""
        first, both = angles[:, 0], angles.sum(-1)
        x = lengths[:, 0] * first.cos() + lengths[:, 1] * both.cos()
        return torch.stack([x, lengths[:, 0] * first.sin() + lengths[:, 1] * both.sin()], dim=-1)

    def reset(self, hidden: Tensor) -> Tensor:
        """Begin with a right angle between the links. Shape `t x 2`, joint angles."""
        return torch.zeros_like(hidden[:, :2]) + hidden.new_tensor([0.0, math.pi / 2])

    def observe(self, state: Tensor) -> Tensor:
        """Return sines and cosines of the joints' angles. Shape `t x 4`."""
        return torch.cat([state.sin(), state.cos()], dim=-1)

    def step(self, hidden: Tensor, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Turn one joint; the reward is the distance that is left between tip and goal, negative."""
        del generator  # nothing is left to chance
        turned = state + _moves(self.turn, state)[action]
        return turned, -(self.tip(hidden[:, 2:], turned) - hidden[:, :2]).norm(dim=-1)
