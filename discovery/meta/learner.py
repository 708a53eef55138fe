"""What every family of meta-learning must be able to do, and the records that go in and out.

A learner is the algorithm: it meta-trains on a task distribution, is rebuilt from a checkpoint, and adapts to a
support. What it returns is a bank: members with evidence, as one BoTorch model. Next in the tour: `discovery.belief`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from discovery.meta.bank import Bank
from discovery.meta.checkpoint import Checkpoint
from discovery.meta.features import SourceFeatures
from discovery.meta.scale import OutcomeScale

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace
    from discovery.tasks.distribution import TaskDistribution

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Support:
    """A campaign's measurements as tensors, raw units. Shapes: X `n x d`, y `n`, yvar `n` or None."""

    X: Tensor
    y: Tensor
    yvar: Tensor | None = None

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, yvar: np.ndarray | None, device: torch.device | str) -> Support:
        """Move arrays to a device."""

        def move(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64, device=device)

        return cls(move(X), move(y), None if yvar is None else move(yvar))


@dataclass(frozen=True)
class Adapted:
    """One hypothesis after its measurements.

    Attributes:
        model: The bank, batch shape `[h]`, raw units.
        log_prior: Log prior of every member; normalized. Shape `h`.
        log_steps: Log density of each measurement given those before it, per raw unit; zero for a measurement that
            is not scored (it anchored the scale). Shape `h x n`.
    """

    model: Bank
    log_prior: Tensor
    log_steps: Tensor

    @property
    def log_evidence(self) -> Tensor:
        """Joint log marginal likelihood per member. Shape `h`."""
        return self.log_steps.sum(-1)


@dataclass(frozen=True)
class Setting:
    """What meta-training needs beside tasks.

    Attributes:
        hypothesis: Name of the hypothesis trained.
        space: The campaign's space.
        scale: Location and scale of the campaign's outcome.
        seed: Seed of all randomness.
        device: Where to train.
        on_step: Called with (step, steps) as training goes on.
    """

    hypothesis: str
    space: SearchSpace
    scale: OutcomeScale
    seed: int = 0
    device: torch.device | str = "cpu"
    on_step: Progress | None = None


class Learner(Protocol):
    """One family of meta-learning. The table of all families is `discovery.registry.LEARNERS`."""

    @property
    def features(self) -> SourceFeatures:
        """What its members' means refer to; empty for families without."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it lives."""
        ...

    @property
    def scores(self) -> Mapping[str, float]:
        """Cross-fitted scores of meta-training, by name."""
        ...

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Learn from a task distribution (None: from nothing), going on from a checkpoint where one is given."""
        ...

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Self:
        """Rebuild the learner; `CheckpointError` if another family made the checkpoint."""
        ...

    def adapt(self, support: Support) -> Adapted:
        """Condition on a support, which may hold no measurement."""
        ...
