"""Where knowledge from before a campaign comes from: simulators, tables of earlier tasks, earlier campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Tag, model_validator

from discovery.campaign.parts import Number, Part, Text, fault


def _held_kind(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<number>"


Held = Annotated[Annotated[Number, Tag("<number>")] | Annotated[Text, Tag("<text>")], Discriminator(_held_kind)]
"""A value at which a parameter is held: a number or a category."""


class SimulatorRef(Part):
    """A simulator that the campaign learns from; further keys override its settings."""

    model_config = ConfigDict(extra="allow")

    name: Text

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings that differ from the simulator's own."""
        return dict(self.model_extra or {})


class CampaignRef(Part):
    """An earlier campaign in the store that this one learns from.

    Attributes:
        campaign: Its name.
        held: Parameters that it did not vary, and the values at which it held them.
    """

    campaign: Text
    held: dict[Text, Held] | None = None


class FileRef(Part):
    """A table of an earlier task that does not have every parameter.

    Attributes:
        file: The table.
        held: Parameters that it has no column for, and the values at which they were held.
    """

    file: Text
    held: dict[Text, Held] | None = None


def _history_kind(value: Any) -> str:
    if isinstance(value, FileRef) or (isinstance(value, Mapping) and "file" in value):
        return "<table>"
    return "<campaign>" if isinstance(value, Mapping | CampaignRef) else "<file>"


HistoryRef = Annotated[
    Annotated[Text, Tag("<file>")] | Annotated[FileRef, Tag("<table>")] | Annotated[CampaignRef, Tag("<campaign>")],
    Discriminator(_history_kind),
]


def history_name(ref: str | FileRef | CampaignRef) -> str:
    """Return the name of a source of history: the path of a table, or `campaign:<name>`."""
    if isinstance(ref, CampaignRef):
        return f"campaign:{ref.campaign}"
    return ref if isinstance(ref, str) else ref.file


def history_file(ref: str | FileRef | CampaignRef) -> str | None:
    """Return the path of a table of history as it was given; None for a campaign of the store."""
    return None if isinstance(ref, CampaignRef) else history_name(ref)


def held_in(ref: str | FileRef | CampaignRef) -> dict[str, float | str]:
    """Return the parameters that a source of history did not vary, and the values at which they were held."""
    return {} if isinstance(ref, str) else dict(ref.held or {})


class Experience(Part):
    """Where knowledge from before the campaign comes from.

    Attributes:
        simulators: Simulators by name.
        history: Files with one task each, or campaigns of the store.
        held: Further columns of the history to learn across, and the values at which this campaign holds them.
    """

    simulators: tuple[SimulatorRef, ...] = ()
    history: tuple[HistoryRef, ...] = ()
    held: dict[Text, Held] | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Experience:
        for i, ref in enumerate(self.simulators):
            if ref.name in {other.name for other in self.simulators[:i]}:
                raise fault(f"simulators[{i}].name", f"must differ from the others; got {ref.name!r} twice")
        names = [history_name(ref) for ref in self.history]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise fault(f"history[{i}]", f"must not repeat another entry; got {name!r} twice", "Remove one.")
        return self
