"""Controls in a table of results: wells of known content, read to judge a plate by, no measurements of the campaign.

A row is a control where its cell `control` names one. Next in the tour: `discovery.ingest.checks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.ingest.records import ControlReading, RejectedRow
from discovery.space.cells import is_blank, read_numbers

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec

CONTROL = "control"
"""The column that names a control."""
NO = frozenset({"no", "none", "false", "n", "-"})
"""Words for a row that is no control."""


def find_controls(frame: pd.DataFrame, spec: CampaignSpec) -> np.ndarray:
    """Return which rows are controls: `control` holds a name, which is neither a number nor a word for no.

    Returns:
        Shape `n`, bool; all false where a parameter or an outcome is called `control`. A row that names a trial is what
        an adapter reported, and none.
    """
    if CONTROL not in frame or CONTROL in (*spec.parameter_names, *spec.outcome_names):
        return np.zeros(len(frame), dtype=bool)
    texts = frame[CONTROL].map(_name)
    is_number = pd.to_numeric(texts, errors="coerce").notna()
    is_trial = ~is_blank(frame["trial_id"]) if "trial_id" in frame else np.zeros(len(frame), dtype=bool)
    return ((texts != "") & ~texts.str.casefold().isin(NO) & ~is_number).to_numpy(dtype=bool) & ~is_trial


def read_controls(rows: pd.DataFrame, spec: CampaignSpec) -> tuple[tuple[ControlReading, ...], list[RejectedRow]]:
    """Read the outcomes of controls; a blank one has not been read yet.

    Args:
        rows: The rows that are controls; the index holds their numbers.
        spec: The campaign.

    Returns:
        The readings, and a reason for each cell that is none. A row that names a proposal cannot be a control.
    """
    if rows.empty:
        return (), []
    is_named = ~is_blank(rows["proposal_id"]) if "proposal_id" in rows else np.zeros(len(rows), dtype=bool)
    wrong = [
        RejectedRow(int(number), CONTROL, _name(cell), "must be blank where a proposal is named")
        for number, cell in rows.loc[is_named, CONTROL].items()
    ]
    kept, readings = rows[~is_named], []
    for outcome in spec.outcome_names:
        given = kept[~is_blank(kept[outcome]) & (kept[outcome].map(_name).str.upper() != "PENDING")]
        values, faults = read_numbers(given[outcome])
        numbers = given.index.tolist()
        wrong += [RejectedRow(numbers[fault.row], outcome, fault.value, fault.reason) for fault in faults]
        cells = given.drop(columns=[CONTROL, *spec.outcome_names]).to_dict("records")
        for number, name, value, record in zip(numbers, given[CONTROL], values.tolist(), cells, strict=True):
            if np.isfinite(value):
                found = {str(column): cell for column, cell in record.items() if cell is not None}
                readings.append(ControlReading(number, _name(name), outcome, value, found))
    return tuple(sorted(readings, key=lambda reading: reading.row_number)), wrong


def _name(cell: object) -> str:
    return "" if cell is None else str(cell).strip()
