"""The campaign's corrections: a measurement that was wrong is put right or taken out, by whom and why.

The wrong row stays in the store and counts no longer; evidence is computed from what counts at the next adapt. Next in
the tour: `discovery.store.corrections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from discovery.campaign.parts import nearest
from discovery.errors import InputError
from discovery.ingest import read_rows
from discovery.ingest.checks import IDS
from discovery.lifecycle import CampaignStatus
from discovery.session.happenings import note_correction
from discovery.session.learning import Learning
from discovery.settings import current_user
from discovery.space.censored import SUFFIX

if TYPE_CHECKING:
    from discovery.ingest import CheckedRows
    from discovery.store import MeasurementRow


@dataclass(frozen=True)
class Correction:
    """What became of a measurement that was wrong.

    Attributes:
        measurement_id: The row that took its place; of a retraction, one that counts for nothing.
        corrected_id: The measurement that no longer counts.
        is_retracted: Whether nothing took its place.
        changes: Name of what changed to its value before and after; empty for a retraction.
        reason: Why.
        by: Who.
        progress: Where the campaign stands now, in one sentence.
    """

    measurement_id: str
    corrected_id: str
    is_retracted: bool
    changes: dict[str, tuple[Any, Any]]
    reason: str
    by: str
    progress: str


class Correcting(Learning):
    """How wrong measurements are put right."""

    def correct(
        self, measurement_id: str, values: Mapping[str, object], reason: str, by: str | None = None
    ) -> Correction:
        """Put a measurement right: the new row takes its place, the wrong one is kept.

        Args:
            measurement_id: The measurement that is wrong; of a retracted one its retraction, which brings it back.
            values: Parameters, outcomes and `<y>_sem` that change, and their values, typed or as text.
            reason: Why.
            by: Who; default `DISCOVERY_USER`, else the account.

        Raises:
            InputError: If there is no such measurement, it was corrected already, a name is unknown, a value does not
                fit, nothing changes, or no reason is given.
        """
        with self.store.transaction():
            row = self.store.measurement(self.name, measurement_id)
            checked = self._checked(row, values)
            changes = _changes(row, checked)
            if not changes and not row.is_retracted:
                raise InputError(f"A correction of {measurement_id} must change something; got what it has already.")
            new_id = self.store.supersede(measurement_id, checked, reason, by or current_user())
            return self._corrected(Correction(new_id, measurement_id, False, changes, reason, by or current_user(), ""))

    def retract(self, measurement_id: str, reason: str, by: str | None = None) -> Correction:
        """Let a measurement count no longer; it is kept, and its place in the budget is free again.

        Args:
            measurement_id: The measurement.
            reason: Why.
            by: Who; default `DISCOVERY_USER`, else the account.

        Raises:
            InputError: If there is no such measurement, it was corrected already, or no reason is given.
        """
        with self.store.transaction():
            self.store.measurement(self.name, measurement_id)
            new_id = self.store.retract(measurement_id, reason, by or current_user())
            return self._corrected(Correction(new_id, measurement_id, True, {}, reason, by or current_user(), ""))

    def corrections(self) -> pd.DataFrame:
        """Return what was corrected and retracted, in order (`Store.corrections`)."""
        return self.store.corrections(self.name)

    def _checked(self, row: MeasurementRow, values: Mapping[str, object]) -> CheckedRows:
        """Return a measurement with other values as a row that may land.

        Raises:
            InputError: If a name is unknown, or a value does not fit.
        """
        suffixes = ("", "_sem", SUFFIX)
        known = [*self.spec.parameter_names, *(f"{y}{end}" for y in self.spec.outcome_names for end in suffixes)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise InputError(
                f"A correction of {row.measurement_id} must name parameters, outcomes or <outcome>_sem; got "
                f"{unknown[0]!r}.",
                nearest(unknown[0], known),
            )
        stored = {**self.spec.held, **row.configuration, **row.outcomes}
        stored |= {f"{name}_sem": sem for name, sem in row.sems.items()}
        stored |= {f"{name}{SUFFIX}": side for name, side in row.limits.items() if name not in values}
        cells = {**row.extra, **dict.fromkeys(known), **stored, **values}
        raw = read_rows(pd.DataFrame([cells]).astype(object))
        checked = self.check(raw)
        if checked.rejected or not len(checked.frame):
            faults = [f"{cell.column} {cell.reason}, got {cell.value!r}" for cell in checked.rejected]
            said = "; ".join(faults) or "every outcome must be given"
            raise InputError(
                f"A correction of {row.measurement_id} must be a measurement of the campaign: {said}.",
                "To take it out, use `discovery retract`.",
            )
        extra = checked.extra[[name for name in row.extra if name in checked.extra]]
        return replace(checked, source="correction", extra=extra)

    def _corrected(self, correction: Correction) -> Correction:
        """Let the campaign end, or go on, by what counts now, and write that a measurement was corrected."""
        progress = self.finish()
        if not progress.is_finished:
            self.store.set_campaign_status(self.name, CampaignStatus.ACTIVE)
        payload = {
            "correction_id": correction.measurement_id,
            "is_retracted": correction.is_retracted,
            "changes": {name: list(pair) for name, pair in correction.changes.items()},
            "reason": correction.reason,
            "by": correction.by,
        }
        note_correction(self, correction.corrected_id, payload)
        return replace(correction, progress=progress.reason)


def _changes(row: MeasurementRow, checked: CheckedRows) -> dict[str, tuple[Any, Any]]:
    """Return what differs between a stored measurement and a checked row: name to values before and after."""
    before = {**row.configuration, **row.outcomes, **{f"{name}_sem": sem for name, sem in row.sems.items()}}
    before |= {f"{name}{SUFFIX}": side for name, side in row.limits.items()}
    cells = checked.frame.drop(columns=list(IDS), errors="ignore").iloc[0]
    after = {f"{name}{SUFFIX}": None for name in row.limits}
    after |= {str(name): None if pd.isna(value) or value == "" else value for name, value in cells.items()}
    return {name: (before.get(name), value) for name, value in after.items() if value != before.get(name)}
