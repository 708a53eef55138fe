"""Measurements: what the laboratory found, once each, never changed; and the rows that were refused.

Ingestion may be repeated at will: a trial's result lands once, a file's row lands once, a file that has grown adds its
new rows only, and a copy of it under another name adds no result of a proposal twice. Replicates are rows of their own.
A file whose rows were corrected in the store brings neither the wrong value back nor the right one twice. Next in the
tour: `discovery.store.corrections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd

from discovery.campaign import category_text
from discovery.errors import InputError
from discovery.lifecycle import ProposalStatus, TrialStatus
from discovery.space.censored import SUFFIX
from discovery.store.base import Columns, StorePart, columns_of, typed
from discovery.store.codec import rows_to_json, widen
from discovery.store.completing import complete
from discovery.store.records import IngestReport
from discovery.store.sql import fetch_frame, run_on_frame

if TYPE_CHECKING:
    import duckdb

    from discovery.campaign import CampaignSpec
    from discovery.ingest.records import CheckedRows

_KEYED = """
CREATE OR REPLACE TEMP TABLE keyed AS
SELECT i.*,
       sha256(concat_ws(chr(31), $campaign,
              CASE WHEN trial_id IS NULL THEN concat_ws(chr(31), 'row', $source_hash, row_number::VARCHAR)
                   ELSE concat_ws(chr(31), 'trial', trial_id) END)) AS content_key,
       CASE WHEN $file <> '' AND trial_id IS NULL
            THEN sha256(concat_ws(chr(31), $campaign, $file, key, found, sems, coalesce(proposal_id, ''),
                        (row_number() OVER same_content)::VARCHAR)) END AS row_digest,
       CASE WHEN trial_id IS NULL AND proposal_id IS NOT NULL THEN row_number() OVER same_row END AS nth_answer,
       CASE WHEN $file <> '' AND trial_id IS NULL THEN row_number() OVER same_content END AS nth_in_file
FROM (SELECT *, concat(outcomes, nullif(limits, '{}')) AS found FROM incoming) i
WINDOW same_content AS (PARTITION BY key, found, sems, proposal_id, trial_id IS NULL ORDER BY row_number),
       same_row AS (PARTITION BY key, found, sems, extra, proposal_id, trial_id IS NULL ORDER BY row_number)
"""
_KNOWN = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT m.position, coalesce(i.key, m.key) AS key, m.sems::VARCHAR AS sems,
       concat(m.outcomes::VARCHAR, nullif(m.limits::VARCHAR, '{}')) AS found,
       m.extra::VARCHAR AS extra, m.proposal_id, first.row_digest IS NOT NULL AS is_of_file,
       parse_filename(first.source) AS file, m.supersedes IS NOT NULL OR i.key IS NOT NULL AS is_other
FROM measurements m
JOIN measurements first ON first.campaign = m.campaign AND first.position = m.position AND first.supersedes IS NULL
LEFT JOIN incoming i ON i.measurement_id = m.measurement_id
WHERE m.campaign = $campaign AND NOT m.is_retracted
"""
_FRESH = """
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT k.*, coalesce((SELECT max(position) FROM measurements WHERE campaign = $campaign), 0)
            + row_number() OVER (ORDER BY k.row_number) AS position
FROM (SELECT * FROM keyed QUALIFY row_number() OVER (PARTITION BY content_key ORDER BY row_number) = 1) k
WHERE NOT EXISTS (SELECT 1 FROM measurements m WHERE m.content_key = k.content_key)
  AND NOT EXISTS (SELECT 1 FROM measurements m WHERE m.row_digest = k.row_digest)
  AND (k.nth_answer IS NULL OR k.nth_answer > (
          SELECT count(*) FROM known m
          WHERE m.proposal_id = k.proposal_id AND m.key = k.key
            AND m.found = k.found AND m.sems = k.sems AND m.extra = k.extra))
  AND (k.nth_in_file IS NULL OR k.nth_in_file > (  -- a row of this file that was corrected, or is named otherwise now
          SELECT CASE WHEN bool_or(m.is_other) THEN count(*) ELSE 0 END FROM known m
          WHERE m.is_of_file AND m.file = parse_filename($file) AND m.key = k.key
            AND m.found = k.found AND m.sems = k.sems AND m.proposal_id IS NOT DISTINCT FROM k.proposal_id))
"""
_LAND = """
INSERT INTO measurements
    (measurement_id, campaign, position, content_key, row_digest, key, configuration, outcomes, sems, limits, extra,
     proposal_id, trial_id, source, source_hash, row_number, ingested_at)
SELECT format('{}-m{:04d}', $campaign, f.position), $campaign, f.position, f.content_key, f.row_digest, f.key,
       f.configuration, f.outcomes, f.sems, f.limits, f.extra, coalesce(f.proposal_id, t.proposal_id), f.trial_id,
       $source, $source_hash, f.row_number, now()
FROM fresh f LEFT JOIN trials t ON t.trial_id = f.trial_id AND t.campaign = $campaign
"""
_LANDED = """
SELECT m.measurement_id, m.proposal_id, m.trial_id, coalesce(p.status, '') AS status
FROM measurements m JOIN fresh f USING (content_key)
LEFT JOIN proposals p ON p.proposal_id = m.proposal_id AND p.campaign = m.campaign
ORDER BY m.position
"""
_COMPLETE = """
UPDATE trials SET status = $completed, finished_at = now()
WHERE campaign = $campaign AND status = $running
  AND (trial_id IN (SELECT trial_id FROM fresh) OR proposal_id IN (SELECT proposal_id FROM fresh))
"""
_REJECT = """
INSERT INTO rejected_rows (campaign, source, source_hash, row_number, column_name, value, reason, rejected_at)
SELECT $campaign, $source, $source_hash, row_number, "column", value, reason, now() FROM incoming
ON CONFLICT DO NOTHING
"""


class Measurements(StorePart):
    """Measurements and rejected rows in the store."""

    def add_measurements(
        self, campaign: str, checked: CheckedRows, source: str = "", keys: Mapping[str, str] | None = None
    ) -> IngestReport:
        """Ingest checked rows in one transaction: good rows land once, refused rows are kept with their reasons.

        A row that names a running trial, or a proposal with a running trial, completes the trial.

        Args:
            campaign: Whose measurements they are.
            checked: What `ingest.check_rows` gave.
            source: Where they come from; default `checked.source`.
            keys: Measurements whose configuration is named otherwise now, as parameters came or went, and its name.

        Returns:
            What landed and what did not.

        Raises:
            InputError: If no such campaign is registered.
        """
        with self.database.transaction() as connection:
            words = {"campaign": campaign, "source": source or checked.source, "source_hash": checked.content_hash}
            named = pd.DataFrame({"measurement_id": list(keys or {}), "key": list((keys or {}).values())}, dtype="str")
            run_on_frame(connection, named, _KNOWN, {"campaign": campaign})
            incoming = incoming_rows(checked, *self._columns(campaign))
            keyed = {"campaign": campaign, "source_hash": checked.content_hash, "file": checked.file}
            run_on_frame(connection, incoming, _KEYED, keyed)
            connection.execute(_FRESH, {"campaign": campaign, "file": checked.file})
            n_completed = complete(connection, words) if len(self._columns(campaign)[1]) > 1 else 0
            connection.execute(_LAND, words)
            landed = fetch_frame(connection, _LANDED)
            connection.execute(
                _COMPLETE,
                {"campaign": campaign, "completed": str(TrialStatus.COMPLETED), "running": str(TrialStatus.RUNNING)},
            )
            _keep_rejected(connection, checked, words)
        return IngestReport(
            n_added=len(landed),
            n_duplicates=len(incoming) - len(landed) - n_completed,
            n_rejected=checked.n_rejected,
            measurement_ids=tuple(landed["measurement_id"]),
            n_pending=checked.n_pending,
            n_controls=checked.n_controls,
            n_out_of_range=checked.n_out_of_range,
            n_unproposed=int((landed["status"] != ProposalStatus.APPROVED).sum()),
            n_completed=n_completed,
        )

    def measurements(self, campaign: str, spec: CampaignSpec | None = None) -> pd.DataFrame:
        """Return a campaign's measurements in the order of ingestion; superseded and retracted ones are left out.

        A parameter that a measurement lacks has the value at which the campaign file says that it was held.

        Args:
            campaign: Whose measurements.
            spec: The version of the campaign that says which columns there are; default the latest.

        Returns:
            One row per measurement: `measurement_id`, `position` (from 1), `key`, a column per parameter (float64 or
            text), a column per outcome (float64), `<y>_sem` columns where any was given, `<y>_limit` columns (`<`, `>`
            or empty) where any is a bound, a column per block of the campaign (text), `proposal_id`, `trial_id`,
            `source` and `ingested_at` (UTC).

        Raises:
            InputError: If no such campaign is registered.
        """
        with self.database.transaction():
            columns = self._all_columns(campaign) if spec is None else columns_of(spec)
            rows = self._frame(
                """SELECT measurement_id, position, key, configuration, outcomes, sems, limits, extra, proposal_id,
                          trial_id, source, ingested_at
                   FROM v_measurements WHERE campaign = $campaign ORDER BY position""",
                campaign=campaign,
            )
        outcomes = columns.outcomes
        sems = widen(rows, "sems", outcomes, suffix="_sem").astype("float64").dropna(axis="columns", how="all")
        sides = widen(rows, "limits", outcomes, suffix=SUFFIX).astype(object).dropna(axis="columns", how="all")
        return pd.concat(
            [
                rows[["measurement_id", "position", "key"]],
                _configurations(rows, columns),
                widen(rows, "outcomes", outcomes).astype("float64"),
                sems,
                sides.fillna(""),
                *_blocks(rows, columns),
                rows[["proposal_id", "trial_id", "source", "ingested_at"]],
            ],
            axis="columns",
        )

    def configurations(self, campaign: str) -> pd.DataFrame:
        """Return the configurations of all measurements, of those that no longer count as well.

        Returns:
            One row per measurement: `measurement_id`, `key` and a column per parameter.
        """
        with self.database.transaction():
            columns = self._all_columns(campaign)
            rows = self._frame(
                "SELECT measurement_id, key, configuration FROM measurements WHERE campaign = $campaign",
                campaign=campaign,
            )
        return pd.concat([rows[["measurement_id", "key"]], _configurations(rows, columns)], axis="columns")

    def rejected_rows(self, campaign: str) -> pd.DataFrame:
        """Return the refused cells of a campaign: source, row_number, column, value, reason, rejected_at."""
        return self._frame(
            """SELECT source, row_number, column_name AS "column", value, reason, rejected_at FROM rejected_rows
               WHERE campaign = $campaign ORDER BY rejected_at, source, row_number, column_name""",
            campaign=campaign,
        )


def _configurations(rows: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return stored configurations as columns; what a row lacks has the value at which it was held."""
    values = widen(rows, "configuration", list(columns.parameters))
    if columns.held:
        values = values.astype(object).fillna(columns.held)
    return typed(values, columns.parameters)


def _blocks(rows: pd.DataFrame, columns: Columns) -> list[pd.DataFrame]:
    """Return the block columns of stored rows as text, empty where a row says nothing."""
    if not columns.blocks:
        return []
    cells = widen(rows, "extra", columns.blocks)
    return [cells.map(lambda cell: "" if pd.isna(cell) else category_text(cell)).astype(object)]


def incoming_rows(checked: CheckedRows, parameters: dict[str, str], outcomes: list[str]) -> pd.DataFrame:
    """Return checked rows as the table that is inserted: JSON where the shape varies."""
    frame = checked.frame
    lacking = [name for name in [*parameters, *outcomes] if name not in frame]
    if lacking:
        raise InputError(f"Checked rows must have every column of the campaign; got none named {', '.join(lacking)}.")
    sems = frame[[f"{name}_sem" for name in outcomes if f"{name}_sem" in frame]]
    missing = pd.Series([None] * len(frame), index=frame.index, dtype="object")
    return pd.DataFrame(
        {
            "row_number": pd.array(checked.row_numbers, dtype="int64"),
            "key": pd.array(checked.keys, dtype="str"),
            "configuration": pd.array(rows_to_json(frame[list(parameters)]), dtype="str"),
            "outcomes": pd.array(rows_to_json(frame[outcomes]), dtype="str"),
            "sems": pd.array(rows_to_json(sems.rename(columns=_without_suffix), skip_missing=True), dtype="str"),
            "limits": pd.array(_limits_to_json(frame, outcomes), dtype="str"),
            "extra": pd.array(rows_to_json(checked.extra, skip_missing=True), dtype="str"),
            "proposal_id": frame.get("proposal_id", missing).astype("str").array,
            "trial_id": frame.get("trial_id", missing).astype("str").array,
        }
    )


def _limits_to_json(frame: pd.DataFrame, outcomes: list[str]) -> list[str]:
    """Return which outcomes of each row are bounds, as JSON."""
    names = [name for name in outcomes if f"{name}{SUFFIX}" in frame]
    if not names:
        return ["{}"] * len(frame)
    sides = frame[[f"{name}{SUFFIX}" for name in names]].set_axis(names, axis="columns")
    return rows_to_json(sides.where(sides != "", None), skip_missing=True)


def _without_suffix(name: str) -> str:
    return name.removesuffix("_sem")


def _keep_rejected(connection: duckdb.DuckDBPyConnection, checked: CheckedRows, words: dict[str, str]) -> None:
    if checked.rejected:
        frame = pd.DataFrame([asdict(cell) for cell in checked.rejected])
        run_on_frame(connection, frame, _REJECT, words)
