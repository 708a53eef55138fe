"""Stages as the acquisition sees them: what each measures and costs, how far every candidate has come, what is chosen.

Next in the tour: `discovery.acquisition.stages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from discovery.errors import ConfigurationError


@dataclass(frozen=True)
class Stage:
    """One way to measure.

    Attributes:
        name: What it is called.
        outcomes: What it measures; the first is what later stages follow, or what is wanted.
        cost: What one measurement costs.
        delay: Days until its outcomes are there.
        needs: Stage that a configuration must have been through; None for none.
    """

    name: str
    outcomes: tuple[str, ...]
    cost: float
    delay: float = 0.0
    needs: str | None = None

    @property
    def outcome(self) -> str:
        """The outcome that is modeled."""
        return self.outcomes[0]


@dataclass(frozen=True)
class Staging:
    """All stages and what is wanted of the last one.

    Attributes:
        stages: Cheap ones first, that of the objective last.
        sign: 1 to maximize, -1 to minimize; for hits, 1 where they lie above the threshold.
        delay_cost: What a day of waiting costs.
        threshold: Outcomes beyond it are hits, and as many as possible are wanted; None where the best one is.

    Raises:
        ConfigurationError: If a stage costs nothing together with its delay, and another comes after it for nothing.
    """

    stages: tuple[Stage, ...]
    sign: float = 1.0
    delay_cost: float = 0.0
    threshold: float | None = None

    def __post_init__(self) -> None:
        if not self.stages or self.costs[-1] <= 0 or min(self.costs) < 0:
            raise ConfigurationError(
                f"stages must cost something, the last one more than nothing; got {list(self.costs)}.",
                "Give every stage a cost.",
            )

    @property
    def costs(self) -> tuple[float, ...]:
        """What a measurement costs at every stage, waiting included."""
        return tuple(stage.cost + stage.delay * self.delay_cost for stage in self.stages)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages."""
        return tuple(stage.name for stage in self.stages)

    def cost(self, name: str) -> float:
        """Return what a measurement costs at a stage, waiting included."""
        return self.costs[self.names.index(name)]


@dataclass(frozen=True)
class Progress:
    """How far every row of the pool has come.

    Attributes:
        done: Whether the outcomes of a stage are there. Shape `S x n`, bool.
        closed: Whether a stage must not be proposed: done, running, proposed, rejected, too dear. Shape `S x n`, bool.
        pending: Configurations that run or are proposed at a stage. Shapes `p x d`.
    """

    done: Tensor
    closed: Tensor
    pending: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class StagedChoice:
    """One chosen measurement.

    Attributes:
        index: Row of the pool.
        stage: Name of the stage.
        x: Encoded configuration. Shape `d`.
        value: Logarithm of the gain per cost.
        argument: Share of every hypothesis about the last outcome in the gain.
        promotion: Chance that the configuration goes on to the last stage; 1 there.
        cost: Expected cost of the whole way from here.
    """

    index: int
    stage: str
    x: Tensor
    value: float
    argument: dict[str, float]
    promotion: float
    cost: float
