"""Sinusoids as tasks: the regression problem that few-shot learners have been compared on since MAML.

Source:
    Finn et al. (2017), Model-agnostic meta-learning, section 5.1; departures: none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from discovery.campaign import CampaignSpec
from discovery.space import SearchSpace
from discovery.tasks.task import TaskBatch

AMPLITUDE, PHASE, X_RANGE = (0.1, 5.0), (0.0, math.pi), (-5.0, 5.0)


@dataclass(frozen=True)
class Sinusoids:
    """`y = a sin(x - p)` without noise: a from U(0.1, 5), p from U(0, pi), x from U(-5, 5)."""

    name: ClassVar[str] = "sinusoid"

    def bind(self, space: SearchSpace) -> Self:
        """Return itself: it lives on `sinusoid_space`."""
        return self

    def sample(
        self,
        n_tasks: int,
        n_points: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        points: Tensor | None = None,
    ) -> TaskBatch:
        """Draw tasks, see `TaskDistribution.sample`."""

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64).to(device)

        amplitude, phase = uniform(*AMPLITUDE, n_tasks, 1, 1), uniform(*PHASE, n_tasks, 1, 1)
        X = uniform(0.0, 1.0, n_tasks, n_points, 1) if points is None else points.expand(n_tasks, -1, -1)
        Y = amplitude * torch.sin(raw(X) - phase)
        mask = torch.ones(X.shape[:2], dtype=torch.bool, device=X.device)
        truth = {"Y": Y, "amplitude": amplitude[:, 0, 0], "phase": phase[:, 0, 0]}
        return TaskBatch(X, Y, mask, tuple(f"sinusoid-{i}" for i in range(n_tasks)), truth=truth)


def raw(X: Tensor) -> Tensor:
    """Return `x` of configurations in the unit cube."""
    low, high = X_RANGE
    return low + (high - low) * X


def sinusoid_space() -> SearchSpace:
    """Return the space of one number between -5 and 5."""
    spec = {
        "name": "sinusoid",
        "parameters": [{"name": "x", "type": "continuous", "bounds": list(X_RANGE)}],
        "outcomes": [{"name": "y", "range": [-AMPLITUDE[1], AMPLITUDE[1]]}],
        "objectives": [{"name": "y", "goal": "maximize"}],
    }
    return SearchSpace.from_spec(CampaignSpec.from_mapping(spec))
