"""Where knowledge from before a campaign comes from: simulators, tables of earlier tasks, earlier campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from discovery.campaign.parameters import Category
from discovery.campaign.parts import Number, Part, Text, fault


def _held_kind(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<number>"


Held = Annotated[Annotated[Number, Tag("<number>")] | Annotated[Text, Tag("<text>")], Discriminator(_held_kind)]
"""A value at which a parameter is held: a number or a category."""


class SimulatorRef(Part):
    """A simulator that the campaign learns from; further keys override its settings.

    Attributes:
        name: The simulator.
        outcomes: By outcome of the campaign, which of the simulator's it is; None: the first objective's is its first.
    """

    model_config = ConfigDict(extra="allow")

    name: Text
    outcomes: Annotated[dict[Text, Text], Field(min_length=1)] | None = None

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings that differ from the simulator's own."""
        return dict(self.model_extra or {})

    def teaches(self, outcome: str, first: str) -> str | None:
        """Return which of the simulator's outcomes stands for one of the campaign's.

        Args:
            outcome: An outcome of the campaign.
            first: The first objective's outcome.

        Returns:
            Its name; empty for the simulator's first one; None where it says nothing about the outcome.
        """
        if self.outcomes is None:
            return "" if outcome == first else None
        return self.outcomes.get(outcome)


class CampaignRef(Part):
    """An earlier campaign in the store that this one learns from.

    Attributes:
        campaign: Its name.
        held: Parameters that it did not vary, and the values at which it held them.
    """

    campaign: Text
    held: dict[Text, Held] | None = None


class FileRef(Part):
    """A table of earlier tasks that says more than its path: what was held, what its rows are about, its units.

    Attributes:
        file: The table.
        held: Parameters that it has no column for, and the values at which they were held.
        task: The column whose levels are one task each; None where the whole table is one task.
        only: The levels that are learned from; empty for all.
        excluded: The levels that are left out, `except` in the file: what the campaign itself is about.
        units: The unit of columns in this table, where it differs from the campaign's.
    """

    file: Text
    held: dict[Text, Held] | None = None
    task: Text | None = None
    only: tuple[Category, ...] = ()
    excluded: tuple[Category, ...] = Field(default=(), alias="except")
    units: dict[Text, Text] | None = None

    @model_validator(mode="after")
    def _check_levels(self) -> FileRef:
        for key, levels in (("only", self.only), ("except", self.excluded)):
            if levels and self.task is None:
                raise fault(key, "must stand beside task, the column that has these levels; got none")
        both = [level for level in self.only if level in self.excluded]
        if both:
            raise fault("except", f"must not hold what only asks for; got {both[0]!r}", "Remove it from one of them.")
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"except" if key == "excluded" else key: value for key, value in write(self).items()}


def _history_kind(value: Any) -> str:
    if isinstance(value, FileRef) or (isinstance(value, Mapping) and "file" in value):
        return "<table>"
    return "<campaign>" if isinstance(value, Mapping | CampaignRef) else "<file>"


HistoryRef = Annotated[
    Annotated[Text, Tag("<file>")] | Annotated[FileRef, Tag("<table>")] | Annotated[CampaignRef, Tag("<campaign>")],
    Discriminator(_history_kind),
]


def history_name(ref: str | FileRef | CampaignRef) -> str:
    """Return the name of a source of history: the path of a table, `<path> [<column>=<level>]`, `campaign:<name>`."""
    if isinstance(ref, CampaignRef):
        return f"campaign:{ref.campaign}"
    if isinstance(ref, str):
        return ref
    return ref.file if ref.task is None or len(ref.only) != 1 else f"{ref.file} [{ref.task}={ref.only[0]}]"


def named_file(name: str) -> tuple[str, str]:
    """Cut the name of a table of history into its path and, where it is one level of a column, ` [column=level]`."""
    path, bracket, level = name.partition(" [") if name.endswith("]") and "=" in name else (name, "", "")
    return path, bracket + level


def history_file(ref: str | FileRef | CampaignRef) -> str | None:
    """Return the path of a table of history as it was given; None for a campaign of the store."""
    if isinstance(ref, CampaignRef):
        return None
    return ref if isinstance(ref, str) else ref.file


def read_as(ref: str | FileRef | CampaignRef) -> dict[str, Any]:
    """Return what a source of history says about how it is read: held values, or these with units and tasks."""
    held: dict[str, Any] = held_in(ref)
    if not isinstance(ref, FileRef) or not (ref.units or ref.task):
        return held
    return {"held": held, "units": ref.units or {}, "task": ref.task or "", "except": list(ref.excluded)}


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
