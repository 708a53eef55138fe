"""Raw rows into checked measurements: one bad cell keeps one row out, and says why; the others land.

A row whose outcome is blank or `PENDING` is not measured yet and is counted, no more; a control is kept aside, and so
is a row that says that its experiment failed. Next in the tour: `discovery.store.measurements`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.errors import InputError
from discovery.ingest.controls import find_controls, read_controls
from discovery.ingest.failures import find_failures, misspelled, read_failures
from discovery.ingest.records import CheckedRows, RejectedRow
from discovery.space.cells import CellFault, faults_where, is_blank, read_numbers
from discovery.space.censored import REPORTED, SUFFIX, ReadOutcomes, read_outcome

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.ingest.records import RawRows
    from discovery.space import SearchSpace

PENDING = "PENDING"
"""What a laboratory writes where an outcome is not measured yet."""
IDS = ("proposal_id", "trial_id")


def check_rows(raw: RawRows, spec: CampaignSpec, space: SearchSpace) -> CheckedRows:
    """Check every cell of raw rows against a campaign.

    Args:
        raw: What `read_rows` gave.
        spec: The campaign; every outcome that it names must have a column.
        space: Its search space; every parameter must have a column.

    Returns:
        Rows that may land, and an entry for each cell that keeps a row out. A row outside the constraints may land, and
        so may an outcome outside its declared range: what was measured was measured.

    Raises:
        InputError: If a column is missing.
    """
    raw = _with_stages(raw, spec)
    _check_columns(raw, [*space.names, *spec.outcome_names])
    is_control = find_controls(raw.frame, spec)
    controls, wrong_controls = read_controls(raw.frame[is_control], spec)
    pending = _is_pending(raw.frame[spec.outcome_names], is_any=len(spec.believed) == 1) & ~is_control
    has_failed = find_failures(raw.frame) & ~is_control
    failures, wrong_failures = read_failures(raw.frame[has_failed], spec, space)
    wrong_failures += misspelled(raw.frame[pending & ~has_failed])
    rows = raw.frame[~pending & ~is_control & ~has_failed]
    sem_names = [f"{name}_sem" for name in spec.outcome_names if f"{name}_sem" in rows]
    read = {name: _read_outcome(rows, name, spec) for name in spec.outcome_names}
    outcomes = pd.DataFrame({name: one.values for name, one in read.items()})
    outcome_faults = [fault for one in read.values() for fault in one.faults]
    sems, sem_faults = _read_sems(rows, sem_names)
    dates = _find_dates(rows[[*space.names, *spec.outcome_names, *sem_names]])
    faults = [*dates, *_beside(dates, [*space.check(rows), *outcome_faults, *sem_faults])]
    good = np.ones(len(rows), dtype=bool)
    good[[fault.row for fault in faults]] = False
    kept = rows[good].reset_index(drop=True)
    numbers = pd.concat([outcomes, sems], axis="columns")[good].reset_index(drop=True)
    typed = space.typed(kept)
    ids = [name for name in IDS if name in kept]
    sides = pd.DataFrame({f"{name}{SUFFIX}": one.sides[good] for name, one in read.items() if one.sides[good].any()})
    known = {*typed.columns, *numbers.columns, *ids, *(f"{name}{SUFFIX}" for name in spec.outcome_names)}
    reported = {name: one.reported[good] for name, one in read.items() if one.is_replaced[good].any()}
    extra = kept[[name for name in kept.columns if name not in known]]
    return CheckedRows(
        frame=pd.concat([typed, numbers, sides, kept[ids].apply(_id_texts)], axis="columns"),
        keys=tuple(space.keys(typed)),
        row_numbers=tuple(rows.index[good].tolist()),
        extra=extra.assign(**{f"{name}{REPORTED}": cells for name, cells in reported.items()}),
        rejected=_rejected([*raw.malformed, *wrong_controls, *wrong_failures], faults, rows.index),
        source=raw.source,
        content_hash=raw.content_hash,
        n_pending=int((pending & ~has_failed).sum()),
        n_out_of_range=int(_is_out_of_range(numbers, spec).sum()),
        file=raw.file,
        controls=controls,
        failures=failures,
    )


def _with_stages(raw: RawRows, spec: CampaignSpec) -> RawRows:
    """Let rows that hold what a stage measures lack the columns of other stages: they are not measured yet."""
    if not any(set(stage.outcomes) <= set(raw.frame) for stage in spec.stages):
        return raw
    lacking = [name for stage in spec.stages for name in stage.outcomes if name not in raw.frame]
    return replace(raw, frame=raw.frame.assign(**dict.fromkeys(lacking)))


def _check_columns(raw: RawRows, wanted: list[str]) -> None:
    lacking = [name for name in wanted if name not in raw.frame]
    if not lacking:
        return
    near = difflib.get_close_matches(lacking[0], map(str, raw.frame.columns), n=1)
    raise InputError(
        f"{raw.source} must have the columns {', '.join(map(repr, lacking))}; got {', '.join(raw.frame.columns)}.",
        f"Rename {near[0]!r} to {lacking[0]!r}?" if near else "Add them; nothing was ingested.",
    )


def _is_pending(cells: pd.DataFrame, *, is_any: bool) -> np.ndarray:
    """Return where any outcome, or each of them, is blank or `PENDING`. Shape `n`."""
    waiting = [_is_waiting(cells[name]) for name in cells]
    return np.logical_or.reduce(waiting) if is_any else np.logical_and.reduce(waiting)


def _is_waiting(cells: pd.Series) -> np.ndarray:
    return is_blank(cells) | _matches(cells, rf"\s*{PENDING}\s*")


def _read_outcome(rows: pd.DataFrame, name: str, spec: CampaignSpec) -> ReadOutcomes:
    """Read an outcome's column, and its column of sides where there is one."""
    marks = rows[f"{name}{SUFFIX}"].reset_index(drop=True) if f"{name}{SUFFIX}" in rows else None
    cells = rows[name].reset_index(drop=True)
    waiting = _is_waiting(cells)  # of several outcomes one may come later
    found = read_outcome(cells.mask(waiting), marks, spec.outcome(name).limits)
    return replace(found, faults=tuple(fault for fault in found.faults if not waiting[fault.row]))


def _read_sems(rows: pd.DataFrame, names: Iterable[str]) -> tuple[pd.DataFrame, list[CellFault]]:
    """Read columns of standard errors; a blank one is not known."""
    columns, faults = {}, []
    for name in names:
        cells = rows[name].reset_index(drop=True)
        given = ~is_blank(cells)
        columns[name], wrong = read_numbers(cells)
        faults += [fault for fault in wrong if given[fault.row]]
        faults += faults_where(columns[name] <= 0, cells, "must be above 0, or blank where it is not known")
    return pd.DataFrame(columns, index=range(len(rows))), faults


def _is_out_of_range(numbers: pd.DataFrame, spec: CampaignSpec) -> np.ndarray:
    """Return where any outcome is outside its declared range. Shape `n`."""
    outside = np.zeros(len(numbers), dtype=bool)
    for name in spec.outcome_names:
        declared = spec.outcome(name).range
        if declared is not None:
            outside |= (numbers[name].notna() & ~numbers[name].between(*declared)).to_numpy(dtype=bool)
    return outside


def _find_dates(rows: pd.DataFrame) -> list[CellFault]:
    """Return a fault for every date and time: spreadsheets make them of text such as 3-2 unasked."""
    faults = []
    for name in rows:
        is_date = rows[name].map(lambda cell: isinstance(cell, date | time | timedelta)).to_numpy(dtype=bool)
        faults += faults_where(is_date, rows[name], "must not be a date or time, which spreadsheets make of some texts")
    return faults


def _beside(dates: list[CellFault], faults: Iterable[CellFault]) -> list[CellFault]:
    """Return the faults of cells that are no dates."""
    known = {(fault.row, fault.column) for fault in dates}
    return [fault for fault in faults if (fault.row, fault.column) not in known]


def _rejected(found: list[RejectedRow], faults: Iterable[CellFault], row_numbers: pd.Index) -> tuple[RejectedRow, ...]:
    """Return rows refused before and faulty cells by the row numbers of the source, in its order."""
    cells = [RejectedRow(int(row_numbers[f.row]), f.column, f.value, f.reason) for f in faults]
    return tuple(sorted([*found, *cells], key=lambda cell: cell.row_number))


def _matches(cells: pd.Series, pattern: str) -> np.ndarray:
    """Return where a cell's text is of a form, whatever the case. Shape `n`."""
    return cells.astype(str).str.fullmatch(pattern, case=False).to_numpy(dtype=bool)


def _id_texts(cells: pd.Series) -> pd.Series:
    """Return ids as text, None where there is none."""
    texts = cells.astype(object).map(lambda cell: str(cell).strip() or None, na_action="ignore")
    return texts.where(texts.notna(), None)
