"""Readings of controls, kept with the campaign's numbers: once each, however often their sheet is ingested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

from discovery.store.codec import from_json_rows

if TYPE_CHECKING:
    from discovery.ingest import CheckedRows, ControlReading
    from discovery.store import Store

CONTROL = "control"
"""Name of the metric that holds one reading of a control."""


def keep_controls(store: Store, campaign: str, checked: CheckedRows) -> int:
    """Keep the readings of controls that are not kept yet; a corrected one is kept beside the old one.

    Args:
        store: Where they are kept.
        campaign: Whose they are.
        checked: What `ingest.check_rows` gave.

    Returns:
        Number of readings that were new.
    """
    if not checked.controls:
        return 0
    with store.transaction():
        metrics = store.metrics(campaign)
        known = {json.loads(text)["identity"] for text in metrics.loc[metrics["name"] == CONTROL, "detail"]}
        cycle = store.next_cycle(campaign) - 1
        found = {_identity(reading, checked): reading for reading in checked.controls}
        fresh = {identity: reading for identity, reading in found.items() if identity not in known}
        for identity, reading in fresh.items():
            detail = {
                **reading.cells,
                "control": reading.name,
                "outcome": reading.outcome,
                "source": checked.source,
                "row_number": reading.row_number,
                "identity": identity,
            }
            store.add_metric(campaign, cycle, CONTROL, reading.value, detail)
    return len(fresh)


def control_readings(store: Store, campaign: str) -> pd.DataFrame:
    """Return what was read in controls, in the order kept.

    Returns:
        One row per reading: `control`, `outcome`, `value`, `plate`, `well`, `source`, `row_number`, `cycle` and
        `recorded_at`, then what else stood in its row.
    """
    metrics = store.metrics(campaign)
    kept = metrics[metrics["name"] == CONTROL].reset_index(drop=True)
    first = ["control", "outcome", "value", "plate", "well", "source", "row_number", "cycle", "recorded_at"]
    cells = from_json_rows(kept["detail"]).drop(columns="identity", errors="ignore")
    frame = pd.concat([kept[["value", "cycle", "recorded_at"]], cells], axis="columns")
    return frame.reindex(columns=[*first, *(name for name in frame if name not in first)])


def _identity(reading: ControlReading, checked: CheckedRows) -> str:
    """Return what makes a reading the same: its well, or without one its place in the source, and what was read."""
    well = [reading.cells.get(name) for name in ("plate", "well")]
    place = well if all(well) else [checked.file or checked.content_hash, reading.row_number]
    return json.dumps([*map(str, place), reading.name, reading.outcome, reading.value])
