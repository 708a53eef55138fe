"""What an adapter is: it takes one configuration to where it is measured and brings outcomes back, at once or later.

Adapters know nothing of the store; `discovery.experiments.trials` records what they do, and asks again where a result
is not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from discovery import registry
from discovery.errors import ConfigurationError, ExperimentError

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace


class TemporaryExperimentError(ExperimentError):
    """A trial could not be carried out now, and may succeed when it is tried again."""


class InfeasibleExperimentError(ExperimentError):
    """An experiment cannot succeed with this configuration, now or ever: that teaches which others cannot either."""


def forget(external_id: str) -> None:
    """Remember nothing: for adapters that are called without a store."""


@dataclass(frozen=True)
class TrialContext:
    """What an adapter is told beside the configuration.

    Attributes:
        trial_id: The trial.
        proposal_id: What is carried out.
        key: Identity of the configuration.
        idempotency_key: Stays the same when a trial is taken up again after a crash, so that it is not run twice.
        external_id: What the laboratory called the trial earlier (`remember`); empty at first.
        remember: Stores an external id at once, before anything else happens.
        folder: For files of this trial alone; the same after a crash. Made by who uses it.
        started_at: When the trial was first started, UTC.
        stage: The stage at which it is made; empty in a campaign without stages.
        outcomes: What it is to measure; empty where that is every outcome of the campaign.
    """

    trial_id: str
    proposal_id: str
    key: str
    idempotency_key: str
    external_id: str = ""
    remember: Callable[[str], None] = field(default=forget, compare=False, repr=False)
    folder: Path = Path("trials")
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stage: str = ""
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """One experiment that is wanted.

    Attributes:
        configuration: A value for every parameter.
        context: Which trial it is.
    """

    configuration: Mapping[str, object]
    context: TrialContext


@dataclass(frozen=True)
class AdapterResult:
    """What came back.

    Attributes:
        outcomes: Every outcome of the campaign, or of the stage, raw units.
        extra: What else is worth keeping, as JSON values; `<y>_limit` is `<` or `>` where an outcome is only a bound.
    """

    outcomes: dict[str, float]
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Pending:
    """The laboratory has the trial, or will get it, and its result is not there yet.

    Attributes:
        external_id: What the laboratory calls the trial; remembered where it is given.
        detail: What it waits for, for people.
        pause_s: How long nobody needs to ask again, seconds; 0 leaves it to the adapter's `poll_s`.
    """

    external_id: str = ""
    detail: str = ""
    pause_s: float = 0.0


class Adapter(Protocol):
    """One way to carry out a trial."""

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> Adapter:
        """Make the adapter of a campaign."""
        ...

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult | Pending:
        """Carry out one trial, or ask after one that was handed over before; must not wait for its result.

        Args:
            configuration: A value for every parameter.
            context: Which trial it is.

        Raises:
            TemporaryExperimentError: If this trial has ended without a result and another one may succeed.
            InfeasibleExperimentError: If none ever will because of the configuration itself.
            ExperimentError: If none ever will for another reason.
            ConfigurationError: If the fault is not the trial's but the file's or a setting's; the trial stays open.
        """
        ...


@runtime_checkable
class AskedAgain(Protocol):
    """An adapter whose results come later and are waited for.

    Attributes:
        wait_s: How long one call waits for results before it leaves them to the next one, seconds; may be infinite.
        poll_s: Pause between two questions about one trial, seconds.
    """

    wait_s: float
    poll_s: float


@runtime_checkable
class TakesBatches(Protocol):
    """An adapter that wants to see all orders of a call together, before each is run."""

    def hand_over(self, orders: Sequence[Order]) -> None:
        """Take the orders of one call: new ones, and those whose results are still awaited."""
        ...


@runtime_checkable
class Forewarns(Protocol):
    """An adapter that can tell beforehand what would keep trials from being carried out here."""

    def warnings(self) -> list[str]:
        """Say what is missing or unwise, one sentence each; nothing is asked or started for that."""
        ...


def adapter_for(spec: CampaignSpec, space: SearchSpace) -> Adapter:
    """Make the adapter that a campaign file asks for.

    Raises:
        ConfigurationError: If the file names no experiment, or the adapter refuses what it says.
    """
    if spec.experiment is None:
        raise ConfigurationError(
            f"Campaign {spec.name} must name an `experiment` to carry out trials; it has none.",
            "Run them yourself and ingest the results.",
        )
    made = registry.load("adapter", spec.experiment.type)
    return cast(Adapter, made.from_spec(spec, space))
