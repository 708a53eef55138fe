"""Rows on their way into the store, as frozen values: as read, and as checked."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class RejectedRow:
    """One cell that kept a row out.

    Attributes:
        row_number: Data row in the source, from 1; the header does not count.
        column: The cell's column; empty where the whole row is malformed.
        value: What stood there, as text.
        reason: What must hold instead.
    """

    row_number: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True)
class ControlReading:
    """What was read in a well of known content.

    Attributes:
        row_number: Data row in the source, from 1.
        name: What the control is, such as `blank`.
        outcome: The outcome that was read.
        value: Its value, raw units.
        cells: The other cells of the row that hold something, such as plate and well.
    """

    row_number: int
    name: str
    outcome: str
    value: float
    cells: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedRow:
    """An experiment that gave no result, as a row of a table says.

    Attributes:
        row_number: Data row in the source, from 1.
        proposal_id: The proposal that was tried; empty where the row names none.
        key: Identity of the configuration; empty where the row has none that can be read.
        is_infeasible: Whether it can never succeed, which teaches feasibility; else it may be tried again.
        reason: Why, in the row's words; may be empty.
    """

    row_number: int
    proposal_id: str
    key: str
    is_infeasible: bool
    reason: str = ""


@dataclass(frozen=True)
class RawRows:
    """Rows as read, nothing interpreted.

    Attributes:
        frame: Cells as text or Python values, None where empty. Index: the data row's number, from 1.
        source: Name of the file as it was given, or `DataFrame`.
        content_hash: Hash of the content: equal for equal bytes (files) or equal cells (frames).
        malformed: Rows that could not be cut into cells.
        file: The file's absolute path; empty for a frame.
    """

    frame: pd.DataFrame
    source: str
    content_hash: str
    malformed: tuple[RejectedRow, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class CheckedRows:
    """Rows that may land, and the reasons of those that may not.

    Attributes:
        frame: Parameter columns (float64 or text), outcome columns and `<y>_sem` columns (float64), `<y>_limit` (`<`,
            `>` or empty) where an outcome is a bound somewhere, and `proposal_id` and `trial_id` (text or None). One
            row per measurement; index from 0.
        keys: Identity of each row's configuration.
        row_numbers: Data row of each row in the source, from 1.
        extra: All other columns, kept as provenance. Index like `frame`.
        rejected: One entry for each cell that kept a row out.
        source: Where the rows come from.
        content_hash: Hash of the source's content.
        n_pending: Rows that are not measured yet.
        n_out_of_range: Rows in `frame` with an outcome outside its declared range.
        file: The file's absolute path; empty for a frame.
        controls: What was read in controls, which are no measurements.
        failures: Experiments that gave no result, as their rows say.
    """

    frame: pd.DataFrame
    keys: tuple[str, ...]
    row_numbers: tuple[int, ...]
    extra: pd.DataFrame
    rejected: tuple[RejectedRow, ...]
    source: str
    content_hash: str
    n_pending: int = 0
    n_out_of_range: int = 0
    file: str = ""
    controls: tuple[ControlReading, ...] = ()
    failures: tuple[FailedRow, ...] = ()

    @property
    def n_rejected(self) -> int:
        """Number of rows that were refused."""
        return len({cell.row_number for cell in self.rejected})

    @property
    def n_controls(self) -> int:
        """Number of rows that are controls and were read."""
        return len({reading.row_number for reading in self.controls})
