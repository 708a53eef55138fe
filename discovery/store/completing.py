"""The rest of an experiment's outcomes: a row that gives what a measurement lacks completes it, and is no measurement.

A row completes the measurement of the same configuration and proposal (or of none) that lacks an outcome which the row
gives, where both agree on every outcome that both have. The completed row takes the place and position of the one
before, which is kept; the budget counts it once. A row of a proposal that says nothing new is known already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from discovery.store.codec import to_json
from discovery.store.sql import fetch_frame, run_on_frame

if TYPE_CHECKING:
    import duckdb

COMPLETED = "completed"
"""The reason of a row that takes the place of one that lacked outcomes; it is no correction."""
_PARTS = ("outcomes", "sems", "limits", "extra")
_PAIRS = """
SELECT f.row_number, f.outcomes, f.sems, f.limits, f.extra, f.proposal_id IS NOT NULL AS is_proposed, m.measurement_id,
       m.outcomes AS known_outcomes, m.sems AS known_sems, m.limits AS known_limits, m.extra AS known_extra
FROM fresh f JOIN v_measurements m
  ON m.campaign = $campaign AND m.key = f.key AND m.proposal_id IS NOT DISTINCT FROM f.proposal_id
ORDER BY f.row_number, m.position
"""
_SUPERSEDE = """
INSERT INTO measurements
    (measurement_id, campaign, position, content_key, row_digest, key, configuration, outcomes, sems, limits, extra,
     proposal_id, trial_id, source, source_hash, row_number, supersedes, reason, ingested_at)
SELECT format('{}-m{:04d}-r{}', m.campaign, m.position, (SELECT count(*) FROM measurements s
              WHERE s.campaign = m.campaign AND s.position = m.position)),
       m.campaign, m.position, f.content_key, f.row_digest, m.key, m.configuration, i.outcomes, i.sems, i.limits,
       i.extra, m.proposal_id, coalesce(f.trial_id, m.trial_id), $source, $source_hash, f.row_number, m.measurement_id,
       $reason, now()
FROM incoming i JOIN fresh f USING (row_number) JOIN measurements m USING (measurement_id)
"""


def complete(connection: duckdb.DuckDBPyConnection, words: Mapping[str, str]) -> int:
    """Let fresh rows complete measurements, and take them, and those that say nothing new, out of what is fresh.

    Args:
        connection: Within the transaction that has made the table `fresh`.
        words: `campaign`, `source` and `source_hash` of the rows.

    Returns:
        Number of measurements that were completed.
    """
    pairs = fetch_frame(connection, _PAIRS, {"campaign": words["campaign"]})
    found: dict[int, dict[str, Any]] = {}
    known: set[int] = set()
    for pair in pairs.to_dict("records"):
        number = int(pair["row_number"])
        given, stored = _said(pair["outcomes"]), _said(pair["known_outcomes"])
        if number in found or any(stored.get(name, value) != value for name, value in given.items()):
            continue
        if given.keys() <= stored.keys():
            is_partial = len(given) < len(json.loads(pair["outcomes"]))
            known |= {number} if pair["is_proposed"] and is_partial else set()
        elif pair["measurement_id"] not in {one["measurement_id"] for one in found.values()}:
            merged = {part: to_json({**_said(pair[f"known_{part}"]), **_said(pair[part])}) for part in _PARTS}
            found[number] = {"row_number": number, "measurement_id": pair["measurement_id"], **merged}
    if found:
        labels = {name: words[name] for name in ("source", "source_hash")} | {"reason": COMPLETED}
        run_on_frame(connection, pd.DataFrame(list(found.values())), _SUPERSEDE, labels)
    done = [*found, *(known - set(found))]
    connection.execute("DELETE FROM fresh WHERE list_contains($numbers::BIGINT[], row_number)", {"numbers": done})
    return len(found)


def _said(text: str | None) -> dict[str, Any]:
    """Return what a JSON object says; null says nothing."""
    stored: dict[str, Any] = json.loads(text or "{}")
    return {name: value for name, value in stored.items() if value is not None}
