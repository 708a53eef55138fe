"""What every family of meta-learning must be able to do, and the records that go in and out.

A learner is the algorithm: it meta-trains on a task distribution, is rebuilt from a checkpoint, and adapts to a
support. What it returns is a bank: members with evidence, as one BoTorch model. Next in the tour: `discovery.belief`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from discovery.meta.checkpoint import Checkpoint
from discovery.meta.features import SourceFeatures
from discovery.meta.scale import OutcomeScale

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace
    from discovery.tasks.distribution import TaskDistribution

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Support:
    """A campaign's measurements as tensors.

    Attributes:
        X: Encoded configurations. Shape `n x d`; unit cube.
        y: Outcomes, raw units. Shape `n`.
        yvar: Known noise variances. Shape `n`, or None.
        limits: Which outcomes are bounds: -1 = the true value lies at or below `y`, +1 = at or above, 0 = measured.
            Shape `n`, or None where all were measured.
        blocks: Level of every measurement in each block column (plate, day), counted from 0. Shapes `n`; empty without.
        is_robust: Whether a measurement that all others speak against may count for less.
        doubtful: Measurements that may be wild values, found by the no-transfer hypothesis. Shape `n`, bool, or None.
    """

    X: Tensor
    y: Tensor
    yvar: Tensor | None = None
    limits: Tensor | None = None
    blocks: tuple[Tensor, ...] = ()
    is_robust: bool = False
    doubtful: Tensor | None = None

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, yvar: np.ndarray | None, device: torch.device | str) -> Support:
        """Move arrays to a device."""

        def move(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64, device=device)

        return cls(move(X), move(y), None if yvar is None else move(yvar))

    def marked(
        self, limits: np.ndarray | None, blocks: Sequence[np.ndarray] = (), *, is_robust: bool = False
    ) -> Support:
        """Return the support with what is said of measurements: bounds, blocks, and whether any may be wild."""
        device = self.X.device
        marks = None if limits is None or not np.any(limits) else torch.as_tensor(limits, device=device).long()
        levels = tuple(torch.as_tensor(level, device=device).long() for level in blocks)
        return replace(self, limits=marks, blocks=levels, is_robust=is_robust)


class Surrogate(Protocol):
    """What belief and acquisition need of a hypothesis's model: a BoTorch model with members as its batch dimension.

    `discovery.meta.bank.Bank` is one. Shapes as there: `h` members, `* x h` with fantasies; a model may tell one member
    by several batch elements (`member_weights`).

    Attributes:
        X: Support configurations. Shape `* x (1 | h) x n x d`.
        Y: Support outcomes, raw units. Shape `* x h x n`.
    """

    X: Tensor
    Y: Tensor

    @property
    def n_dims(self) -> int:
        """Encoded dimensions `d`."""
        ...

    @property
    def features(self) -> SourceFeatures:
        """Extra columns that a pool may carry for it; empty for models without."""
        ...

    @property
    def batch_shape(self) -> torch.Size:
        """Members last."""
        ...

    @property
    def prior_sd(self) -> Tensor:
        """Prior standard deviation of the latent outcome, raw units. Shape `h`."""
        ...

    def with_features(self, X: Tensor) -> Tensor:
        """Append its feature columns. Shape `* x d` to `* x (d + j)`."""
        ...

    def marginals(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean `* x h x N` and variance `h x N` of the latent outcome at `N` points, raw units."""
        ...

    def predictive(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the next noisy outcome at `N` points, shapes alike."""
        ...

    def posterior(self, X: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Return the joint posterior as BoTorch wants it."""
        ...

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: Any) -> Self:
        """Return the model with further outcomes, one per member where they differ."""
        ...

    def with_outcomes(self, Y: Tensor) -> Self:
        """Return the model with other outcomes at the same configurations."""
        ...

    def member_weights(self, log_weight: Tensor) -> Tensor:
        """Spread log weights of members over the batch elements that tell them. Shape `h` to `h'`."""
        ...

    def scaled(self, factor: float) -> Self:
        """Return the model with outcomes in another unit: `factor` new units are one old unit."""
        ...


@dataclass(frozen=True)
class Adapted:
    """One hypothesis after its measurements.

    Attributes:
        log_prior: Log prior of every member; normalized. Shape `h`.
        log_steps: Log density of each measurement given those before it, per raw unit; zero for a measurement that
            is not scored (it anchored the scale). Shape `h x n`.
        condition: Makes the model of some members (their indices), conditioned on the measurements. Members are
            many and only those that stand for all score candidates, so the model of all is made only when asked for.
        spread: Prior standard deviation of the latent outcome under every member, raw units, features left out: says
            which members imagine outcomes far away. Shape `h`.
        is_doubting: Which members take the doubtful measurements for wild values. Shape `h`, bool; None where nothing
            is doubtful.
    """

    log_prior: Tensor
    log_steps: Tensor
    condition: Callable[[Tensor], Surrogate]
    spread: Tensor
    is_doubting: Tensor | None = None

    @property
    def log_evidence(self) -> Tensor:
        """Joint log marginal likelihood per member. Shape `h`."""
        return self.log_steps.sum(-1)

    @cached_property
    def model(self) -> Surrogate:
        """The model of all members, batch shape `[h]`, raw units."""
        return self.condition(torch.arange(len(self.log_prior), device=self.log_prior.device))


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


@runtime_checkable
class Doubts(Protocol):
    """A learner that can say which measurements are more likely wild values than not."""

    def doubtful(self, support: Support) -> Tensor:
        """Return which measurements are. Shape `n`, bool."""
        ...


@runtime_checkable
class Grouped(Protocol):
    """A learner whose members belong to groups of earlier tasks, each a hypothesis of its own."""

    def group_names(self, sources: Sequence[str]) -> tuple[str, ...]:
        """Name the groups by the tasks that they hold; none where there is only one.

        Args:
            sources: What the learner was trained on, in order. Length `t`.
        """
        ...

    def group_weights(self, adapted: Adapted) -> Tensor:
        """Return the probability of each group, given the measurements; sums to one. Shape `g`."""
        ...


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
