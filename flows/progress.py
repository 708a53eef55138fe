"""What a running campaign tells whoever watches: small values, handed to listeners in the same process.

Flow parameters have to be JSON, so a flow cannot take a callback; it reports here, and the command line listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainingStep:
    """Meta-training has gone on.

    Attributes:
        hypothesis: What is trained.
        step: Steps done.
        steps: Steps in all.
    """

    hypothesis: str
    step: int
    steps: int


@dataclass(frozen=True)
class StageStarted:
    """A flow of a cycle has begun.

    Attributes:
        stage: Name of the flow.
        cycle: Number of the cycle.
    """

    stage: str
    cycle: int


@dataclass(frozen=True)
class CycleSummary:
    """One cycle after its results are in.

    Attributes:
        campaign: Name of the campaign.
        cycle: Number of the cycle.
        outcome: Name of the outcome.
        unit: Its unit; may be empty.
        proposals: What was proposed, as one object per row: id, parameters, prediction, status, outcome or None.
        best: The best measurement so far, or None.
        weights: Weight of each hypothesis when the cycle proposed.
        n_measurements: Measurements so far.
        n_budget: Experiments that the campaign may make.
    """

    campaign: str
    cycle: int
    outcome: str
    unit: str
    proposals: tuple[dict[str, object], ...]
    best: float | None
    weights: dict[str, float] = field(default_factory=dict)
    n_measurements: int = 0
    n_budget: int = 0

    @property
    def outcomes(self) -> list[float]:
        """Outcomes that this cycle brought, in the order proposed."""
        return [float(str(row[self.outcome])) for row in self.proposals if row[self.outcome] is not None]


Event = TrainingStep | StageStarted | CycleSummary
Listener = Callable[[Event], None]
_listeners: list[Listener] = []


def tell(event: Event) -> None:
    """Hand an event to everyone who listens."""
    for listener in tuple(_listeners):
        listener(event)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand events to a listener while the body runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
