"""Rows that say that an experiment gave no result: `failed` and to be tried again, or `infeasible` for good.

A row does so by its cell `status`, with the outcomes blank. A word that is nearly one of the two is refused; any other
means nothing. Next in the tour: `discovery.session.failures`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from discovery.ingest.records import FailedRow, RejectedRow
from discovery.space.cells import is_blank

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace

STATUS = "status"
"""The column that says so."""
FAILED, INFEASIBLE = "failed", "infeasible"
FEASIBLE, NEARLY = "feasible", 0.75  # the opposite of one, however alike; how alike a word is that was meant
REASONS = ("reason", "note", "error")
"""Columns that say why; the first that holds something counts."""


def find_failures(frame: pd.DataFrame) -> np.ndarray:
    """Return which rows say that their experiment gave no result. Shape `n`, bool."""
    if STATUS not in frame:
        return np.zeros(len(frame), dtype=bool)
    return frame[STATUS].map(_word).isin((FAILED, INFEASIBLE)).to_numpy(dtype=bool)


def misspelled(rows: pd.DataFrame) -> list[RejectedRow]:
    """Name the cells of `status` that were meant to say that an experiment gave no result, and do not quite.

    Args:
        rows: Rows without an outcome; the index holds their numbers.
    """
    if STATUS not in rows:
        return []
    wrong = []
    for number, cell in rows[STATUS].items():
        meant = difflib.get_close_matches(_word(cell), (FAILED, INFEASIBLE), n=1, cutoff=NEARLY)
        if meant and _word(cell) not in (FAILED, INFEASIBLE, FEASIBLE):
            reason = f"must be {FAILED} or {INFEASIBLE} where there is no result; did you mean {meant[0]!r}?"
            wrong.append(RejectedRow(cast(int, number), STATUS, _text(cell), reason))
    return wrong


def read_failures(
    rows: pd.DataFrame, spec: CampaignSpec, space: SearchSpace
) -> tuple[tuple[FailedRow, ...], list[RejectedRow]]:
    """Read rows of experiments that gave no result.

    Args:
        rows: Those rows; the index holds their numbers.
        spec: The campaign.
        space: Its space, which names their configurations.

    Returns:
        What they say, and a reason for each row that may not say so: one with an outcome, or one that names neither a
        proposal nor a configuration of the space.
    """
    if rows.empty:
        return (), []
    keys = _keys(rows, space)
    given = {
        name: ~is_blank(rows[name]) & (rows[name].map(_word) != "pending").to_numpy(dtype=bool)
        for name in spec.outcome_names
    }
    failures, wrong = [], []
    for at, (number, cells) in enumerate(zip(rows.index.tolist(), rows.to_dict("records"), strict=True)):
        measured = [name for name in spec.outcome_names if bool(given[name][at])]
        proposal = _text(cells.get("proposal_id"))
        status = _text(cells[STATUS])
        if measured:
            reason = f"must not be {status} where {measured[0]} is given"
            wrong.append(RejectedRow(number, STATUS, status, reason))
        elif not proposal and not keys[at]:
            wrong.append(RejectedRow(number, STATUS, status, "must stand beside a proposal_id or a configuration"))
        else:
            why = next((text for name in REASONS if (text := _text(cells.get(name)))), "")
            failures.append(FailedRow(number, proposal, keys[at], _word(status) == INFEASIBLE, why))
    return tuple(failures), wrong


def _keys(rows: pd.DataFrame, space: SearchSpace) -> list[str]:
    """Return the identity of each row's configuration; empty where it is none of the space."""
    cells = rows.reset_index(drop=True)
    wrong = {fault.row for fault in space.check(cells)}
    good = [at for at in range(len(cells)) if at not in wrong]
    keys = dict(zip(good, space.keys(space.typed(cells.iloc[good].reset_index(drop=True))), strict=True))
    return [keys.get(at, "") for at in range(len(cells))]


def _text(cell: object) -> str:
    return "" if cell is None or (isinstance(cell, float) and np.isnan(cell)) else str(cell).strip()


def _word(cell: object) -> str:
    return _text(cell).casefold()
