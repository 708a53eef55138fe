"""Corrections: a measurement that was wrong is superseded by another row, or by none, with who did it and why.

Nothing is overwritten: every wrong row stays, and the views show the last one of its place. Next in the tour:
`discovery.store.proposals`.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING

from discovery.errors import InputError, counted
from discovery.settings import current_user
from discovery.store.completing import COMPLETED
from discovery.store.measurements import Measurements, incoming_rows
from discovery.store.records import MeasurementRow
from discovery.store.sql import run_on_frame

if TYPE_CHECKING:
    import pandas as pd

    from discovery.ingest.records import CheckedRows

_JSON = ("configuration", "outcomes", "sems", "limits", "extra")
_NEXT_ID = """format('{}-m{:04d}-r{}', m.campaign, m.position, (SELECT count(*) FROM measurements s
              WHERE s.campaign = m.campaign AND s.position = m.position))"""
_KEY = "sha256(concat_ws(chr(31), 'supersedes', m.measurement_id))"
_SUPERSEDE = f"""
INSERT INTO measurements
    (measurement_id, campaign, position, content_key, key, configuration, outcomes, sems, limits, extra,
     proposal_id, trial_id, source, source_hash, row_number, supersedes, reason, ingested_at, corrected_by)
SELECT {_NEXT_ID}, m.campaign, m.position, {_KEY}, i.key, i.configuration, i.outcomes, i.sems, i.limits, i.extra,
       coalesce(i.proposal_id, m.proposal_id), coalesce(i.trial_id, m.trial_id), $source, $source_hash, i.row_number,
       m.measurement_id, $reason, now(), $by
FROM incoming i JOIN measurements m ON m.measurement_id = $measurement_id
RETURNING measurement_id
"""
_RETRACT = f"""
INSERT INTO measurements
    (measurement_id, campaign, position, content_key, key, configuration, outcomes, sems, limits, extra,
     proposal_id, trial_id, source, source_hash, row_number, supersedes, reason, ingested_at, corrected_by,
     is_retracted)
SELECT {_NEXT_ID}, m.campaign, m.position, {_KEY}, m.key, m.configuration, m.outcomes, m.sems, m.limits, m.extra,
       m.proposal_id, m.trial_id, m.source, m.source_hash, m.row_number, m.measurement_id, $reason, now(), $by, true
FROM measurements m WHERE m.measurement_id = $measurement_id
RETURNING measurement_id
"""
_CORRECTIONS = """
SELECT m.measurement_id, m.supersedes AS corrected_id, m.position, m.is_retracted, m.reason, m.corrected_by,
       m.ingested_at AS corrected_at, wrong.configuration AS configuration_before, wrong.outcomes AS outcomes_before,
       wrong.sems AS sems_before, wrong.limits AS limits_before, m.configuration, m.outcomes, m.sems, m.limits
FROM measurements m JOIN measurements wrong ON wrong.measurement_id = m.supersedes
WHERE m.campaign = $campaign AND NOT (m.reason = $completed AND NOT m.is_retracted)
ORDER BY m.ingested_at, m.measurement_id
"""


class Corrections(Measurements):
    """Corrected and retracted measurements in the store."""

    def measurement(self, campaign: str, measurement_id: str) -> MeasurementRow:
        """Return one measurement as it is stored, also one that no longer counts.

        Raises:
            InputError: If the campaign has no such measurement; says which come near.
        """
        row = self._one(
            """SELECT measurement_id, campaign, position, key, configuration, outcomes, sems, limits, extra,
                      proposal_id, trial_id, is_retracted
               FROM measurements WHERE campaign = $campaign AND measurement_id = $id""",
            campaign=campaign,
            id=measurement_id,
        )
        if row is None:
            raise InputError(
                f"A measurement to correct must be one of campaign {campaign}; got {measurement_id!r}.",
                self._near(campaign, measurement_id),
            )
        decoded = {name: json.loads(row.pop(name) or "{}") for name in _JSON}
        return MeasurementRow(**row, **decoded)

    def supersede(self, measurement_id: str, checked: CheckedRows, reason: str, by: str = "") -> str:
        """Correct a measurement: the new row takes its place and position, the old one is kept.

        Args:
            measurement_id: The measurement that is wrong; a retraction may be corrected as well, which undoes it.
            checked: Exactly one row, without a fault.
            reason: Why.
            by: Who; default `settings.current_user`.

        Returns:
            The id of the correction.

        Raises:
            InputError: If the measurement is unknown or superseded already, the reason is empty, or it is not one row.
        """
        if len(checked.frame) != 1 or checked.rejected:
            raise InputError(
                f"A correction of {measurement_id} must be one faultless row; got {len(checked.frame)} rows and "
                f"{checked.n_rejected} refused."
            )
        with self.database.transaction() as connection:
            campaign = self._check_last(measurement_id, reason)
            words = {
                "measurement_id": measurement_id,
                "reason": reason.strip(),
                "by": by or current_user(),
                "source": checked.source,
                "source_hash": checked.content_hash,
            }
            rows = incoming_rows(checked, *self._columns(campaign))
            return str(run_on_frame(connection, rows, _SUPERSEDE, words)[0][0])

    def retract(self, measurement_id: str, reason: str, by: str = "") -> str:
        """Let a measurement count no longer; it is kept.

        Args:
            measurement_id: The measurement.
            reason: Why.
            by: Who; default `settings.current_user`.

        Returns:
            The id of the retraction, a row that counts for nothing.

        Raises:
            InputError: If the measurement is unknown, superseded or retracted already, or the reason is empty.
        """
        with self.database.transaction() as connection:
            campaign = self._check_last(measurement_id, reason)
            if self.measurement(campaign, measurement_id).is_retracted:
                raise InputError(f"A measurement to retract must count; {measurement_id} is a retraction itself.")
            words = {"measurement_id": measurement_id, "reason": reason.strip(), "by": by or current_user()}
            return str(connection.execute(_RETRACT, words).fetchall()[0][0])

    def corrections(self, campaign: str) -> pd.DataFrame:
        """Return what was corrected and retracted, in order.

        Returns:
            One row per correction: `measurement_id`, `corrected_id`, `position`, `is_retracted`, `reason`,
            `corrected_by`, `corrected_at`, and as JSON `configuration_before`, `outcomes_before`, `sems_before`,
            `limits_before`, `configuration`, `outcomes`, `sems` and `limits`.
        """
        return self._frame(_CORRECTIONS, campaign=campaign, completed=COMPLETED)

    def _check_last(self, measurement_id: str, reason: str) -> str:
        """Refuse a correction without a reason, or of what was corrected already; return the campaign."""
        if not reason.strip():
            raise InputError(f"A correction of {measurement_id} must say why; got an empty reason.")
        row = self._one(
            """SELECT m.campaign, later.measurement_id AS later, later.is_retracted
               FROM measurements m LEFT JOIN measurements later ON later.supersedes = m.measurement_id
               WHERE m.measurement_id = $id""",
            id=measurement_id,
        )
        if row is None:
            raise InputError(f"A measurement to correct must exist in {self.database.path}; got {measurement_id!r}.")
        if row["later"] is not None:
            raise InputError(
                f"A measurement to correct must not be corrected already; got {measurement_id!r}.",
                f"It was retracted; `discovery correct` of {row['later']} brings it back."
                if row["is_retracted"]
                else f"Name what took its place: {row['later']}.",
            )
        return str(row["campaign"])

    def _near(self, campaign: str, measurement_id: str) -> str:
        """Say which ids come near to one that there is not."""
        ids = self._frame(
            "SELECT measurement_id FROM measurements WHERE campaign = $campaign ORDER BY position, measurement_id",
            campaign=campaign,
        )["measurement_id"].tolist()
        if not ids:
            return "It has no measurements."
        numbered = f"{campaign}-m{measurement_id:0>4}" if measurement_id.isdecimal() else "-"
        near = [one for one in ids if one.startswith(numbered)] or get_close_matches(measurement_id, ids, n=1)
        if near:
            return f"Did you mean {' or '.join(near)}?"
        return f"It has {counted(len(ids), 'row')}, {ids[0]} to {ids[-1]}."
