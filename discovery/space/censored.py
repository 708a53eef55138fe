"""Censored outcomes: `<5.0` and `>100` say on which side of a bound the true value lies, and no more.

What is kept is the bound and the side; the likelihood makes of it the probability of that side
(`discovery.meta.censored`). Next in the tour: `discovery.ingest.checks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discovery.space.cells import CellFault, faults_where, is_blank, read_numbers

SUFFIX = "_limit"
"""A column `<y>_limit` says of `<y>` whether it is a bound: `<` at most this, `>` at least this, blank: measured."""
REPORTED = "_reported"
"""A column `<y>_reported` keeps what stood in the table where a detection limit of the campaign took its place."""
BELOW, ABOVE = "<", ">"
SIGNS = {BELOW: -1, ABOVE: 1, "": 0}
"""Side of the true value, as numbers: -1 at or below the bound, +1 at or above, 0 measured."""
_WORDS = {"<=": "<", "≤": "<", "below": "<", "-1": "<", "-1.0": "<"} | {
    **{">=": ">", "≥": ">", "above": ">", "1": ">", "1.0": ">"},
    **{"=": "", "0": "", "0.0": "", "measured": ""},
}
_CELL = r"\s*([<>≤≥])=?\s*([-+.\d].*)"

Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class ReadOutcomes:
    """One outcome's cells as read.

    Attributes:
        values: Measured values and bounds; NaN where a cell is refused. Shape `n`.
        sides: `<`, `>`, or empty for a measured value. Shape `n`; object.
        reported: What the table said where a detection limit took its place, else NaN. Shape `n`.
        faults: One for each refused cell.
    """

    values: np.ndarray
    sides: np.ndarray
    reported: np.ndarray
    faults: tuple[CellFault, ...]

    @property
    def is_replaced(self) -> np.ndarray:
        """Where a detection limit took the place of what the table said. Shape `n`."""
        return ~np.isnan(self.reported)


def read_outcome(cells: pd.Series, marks: pd.Series | None = None, limits: Limits | None = None) -> ReadOutcomes:
    """Read a column of outcomes, some of which may be bounds.

    Args:
        cells: The column; a cell such as `<5` or `>= 100` is a bound. Length `n`, index from 0.
        marks: Its column `<y>_limit`, or None.
        limits: Lowest and highest value that can be detected: a number there or beyond is a bound.
    """
    found = cells.astype(str).str.extract(_CELL)
    is_bound = found[0].notna().to_numpy(dtype=bool)
    sides = np.where(is_bound, found[0].map(lambda sign: _WORDS.get(sign, sign)), "").astype(object)
    bare = cells.astype(object).where(~is_bound, found[1]) if is_bound.any() else cells
    values, faults = read_numbers(bare)
    faults = [replace(fault, value=str(cells.iloc[fault.row])) if is_bound[fault.row] else fault for fault in faults]
    if marks is not None:
        said, wrong = _read_marks(marks)
        conflicts = (said != "") & (sides != "") & (said != sides)
        faults += wrong + faults_where(conflicts, marks, f"must agree with the sign in {cells.name}")
        sides = np.where(sides == "", said, sides)
    reported = np.full(len(values), np.nan)
    low, high = limits or (None, None)
    for bound, side, is_beyond in ((low, BELOW, np.less_equal), (high, ABOVE, np.greater_equal)):
        if bound is not None:
            beyond = (sides == "") & is_beyond(values, bound)
            reported = np.where(beyond & (values != bound), values, reported)
            values, sides = np.where(beyond, bound, values), np.where(beyond, side, sides)
    return ReadOutcomes(values, sides, reported, tuple(faults))


def _read_marks(marks: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
    """Read a column `<y>_limit`: `<`, `>` or empty. Shape `n`, and a fault for every other word."""
    texts = marks.where(~is_blank(marks), "").astype(str).str.strip().str.casefold()
    said = texts.map(lambda text: _WORDS.get(text, text)).to_numpy(dtype=object)
    is_wrong = ~np.isin(said.astype(str), list(SIGNS))
    return np.where(is_wrong, "", said), faults_where(is_wrong, marks, "must be <, > or blank")


def sides_of(frame: pd.DataFrame, outcome: str) -> np.ndarray | None:
    """Return which measurements of an outcome are bounds.

    Args:
        frame: Measurements, as `Store.measurements` gives them.
        outcome: Name of the outcome.

    Returns:
        -1 where the true value lies at or below, +1 at or above, 0 where it was measured, shape `n`, int8; None where
        all were measured.
    """
    marks = frame.get(f"{outcome}{SUFFIX}")
    if marks is None:
        return None
    sides = marks.map(lambda side: SIGNS.get(side, 0) if isinstance(side, str) else 0).to_numpy(dtype=np.int8)
    return sides if sides.any() else None


def shown(value: float, side: object = "", form: str = "g") -> str:
    """Return an outcome as people read it: `5`, `< 5` or `> 100`.

    Example:
        >>> shown(5.0, "<")
        '< 5'
    """
    sign = f"{side} " if side in (BELOW, ABOVE) else ""
    return f"{sign}{value:{form}}"


def with_signs(frame: pd.DataFrame, outcomes: Sequence[str], form: str = ".4g") -> pd.DataFrame:
    """Return measurements as people read them: an outcome that is a bound is text such as `< 5`."""
    known = [name for name in outcomes if f"{name}{SUFFIX}" in frame]
    return frame.assign(**{name: _signed(frame[name], frame[f"{name}{SUFFIX}"], form) for name in known})


def _signed(values: pd.Series, sides: pd.Series, form: str) -> pd.Series:
    pairs = zip(values.tolist(), sides.tolist(), strict=True)
    cells = [shown(value, side, form) if side in (BELOW, ABOVE) else value for value, side in pairs]
    return pd.Series(cells, index=values.index, dtype=object)
