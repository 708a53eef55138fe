"""What an adapter is: it takes one configuration to where it is measured and brings the outcomes back.

Adapters know nothing of the store; `discovery.experiments.trials` records what they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from discovery import registry
from discovery.errors import ConfigurationError, ExperimentError, NotSupportedError

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace


class TemporaryExperimentError(ExperimentError):
    """A trial could not be carried out now, and may succeed when it is tried again."""


@dataclass(frozen=True)
class TrialContext:
    """What an adapter is told beside the configuration.

    Attributes:
        trial_id: The trial.
        proposal_id: What is carried out.
        key: Identity of the configuration.
        idempotency_key: Stays the same when a trial is taken up again after a crash, so that it is not run twice.
    """

    trial_id: str
    proposal_id: str
    key: str
    idempotency_key: str


@dataclass(frozen=True)
class AdapterResult:
    """What came back.

    Attributes:
        outcomes: Every outcome of the campaign, raw units.
        extra: What else is worth keeping, as JSON values.
    """

    outcomes: dict[str, float]
    extra: dict[str, object] = field(default_factory=dict)


class Adapter(Protocol):
    """One way to carry out a trial."""

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> Adapter:
        """Make the adapter of a campaign."""
        ...

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        """Carry out one trial.

        Args:
            configuration: A value for every parameter.
            context: Which trial it is.

        Raises:
            TemporaryExperimentError: If it may succeed when tried again.
            ExperimentError: If it never will.
        """
        ...


def adapter_for(spec: CampaignSpec, space: SearchSpace) -> Adapter:
    """Make the adapter that a campaign file asks for.

    Raises:
        ConfigurationError: If the file names no experiment.
        NotSupportedError: If there is no such adapter in this release.
    """
    if spec.experiment is None:
        raise ConfigurationError(
            f"Campaign {spec.name} must name an `experiment` to carry out trials; it has none.",
            "Run them yourself and ingest the results.",
        )
    kind = spec.experiment.type
    if kind not in registry.ADAPTERS:
        raise NotSupportedError(f"experiment.type: {kind} is not supported yet.", "Ingest the results by hand.")
    made = registry.load("adapter", kind)
    return cast(Adapter, made.from_spec(spec, space))
