"""Cells of a table as numbers and categories, with a reason for every cell that is neither.

Works column by column; a cell that is refused names its row, so that one bad row never hides another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discovery.campaign import category_text
from discovery.errors import InputError

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_COMMA = r"\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*"
_SHOWN = 8  # categories or values that a message lists


@dataclass(frozen=True)
class CellFault:
    """A cell that cannot be used.

    Attributes:
        row: Position of the row, from 0.
        column: Name of the column.
        value: What stands there, as text.
        reason: The rule that it breaks, such as `must be a number`.
    """

    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.column} {self.reason}; got {self.value!r} at data row {self.row + 1}"


def faults_where(mask: np.ndarray, cells: pd.Series, reason: str) -> list[CellFault]:
    """Return a fault for every row where the mask is true."""
    rows = np.flatnonzero(mask)
    column, values = str(cells.name), cells.iloc[rows]
    return [CellFault(int(row), column, _shown(value), reason) for row, value in zip(rows, values, strict=True)]


def _shown(value: object) -> str:
    is_nan = isinstance(value, float | np.floating) and bool(np.isnan(value))
    return "" if value is None or value is pd.NA or is_nan else str(value)


def refuse(faults: Sequence[CellFault], source: str = "") -> None:
    """Raise if there is any fault.

    Raises:
        InputError: With the first fault and the number of the others.
    """
    if faults:
        place = f" of {source}" if source else ""
        others = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        raise InputError(f"{faults[0]}{place}{others}.")


def column_of(frame: pd.DataFrame, name: str, source: str = "") -> pd.Series:
    """Return one column of a table.

    Raises:
        InputError: If there is no such column, or more than one.
    """
    n_found = int((frame.columns == name).sum())
    if n_found != 1:
        rule = "must have the column" if n_found == 0 else "must have only one column"
        found = ", ".join(map(str, frame.columns))
        raise InputError(f"{source or 'The table'} {rule} {name!r}; got the columns {found}.")
    return frame[name].reset_index(drop=True)


def is_blank(cells: pd.Series) -> np.ndarray:
    """Return where a cell holds nothing. Shape `n`."""
    blank = cells.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return blank
    return blank | (cells.astype(str).str.strip() == "").to_numpy(dtype=bool)


def read_numbers(cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
    """Read a column of numbers; text that is a number counts as one, true and false do not.

    Args:
        cells: The column, any dtype. Length `n`.

    Returns:
        The numbers, NaN where a cell is refused, shape `n`; and a fault for each refused cell.
    """
    blank = is_blank(cells)
    values = _floats(cells)
    missing = np.isnan(values)
    faults = faults_where(blank, cells, "must be given")
    has_comma = missing.copy()
    has_comma[missing] = cells[missing].astype(str).str.fullmatch(_COMMA).to_numpy(dtype=bool)
    faults += faults_where(missing & ~blank & ~has_comma, cells, "must be a number")
    faults += faults_where(has_comma, cells, "must be a number with a decimal point, not a comma")
    faults += faults_where(np.isinf(values), cells, "must be a finite number")
    return np.where(np.isinf(values), np.nan, values), faults


def _floats(cells: pd.Series) -> np.ndarray:
    """Return a column as floats, NaN where that is impossible. Shape `n`."""
    if pd.api.types.is_bool_dtype(cells.dtype):
        return np.full(len(cells), np.nan)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    text = cells.astype(str).str.strip()
    good = pd.to_numeric(text, errors="coerce").notna().to_numpy(dtype=bool)
    values = np.full(len(cells), np.nan)
    values[good] = text[good].to_numpy(dtype=str).astype(np.float64)  # exact, where pandas rounds the last digit
    return values


def snap(values: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return the position of each value in a sorted list, -1 where it is not there within 1e-9 (relative).

    Args:
        values: Raw values. Shape `n`; NaN gives -1.
        allowed: The sorted list.
    """
    above = np.searchsorted(allowed, values).clip(1, max(len(allowed) - 1, 1))
    low, high = allowed[above - 1], allowed[np.minimum(above, len(allowed) - 1)]
    position = np.where(np.abs(values - low) <= np.abs(values - high), above - 1, above)
    position = np.minimum(position, len(allowed) - 1)
    is_there = np.isclose(values, allowed[position], rtol=1e-9, atol=1e-12)
    return np.where(is_there, position, -1)


class CategoryReader:
    """Finds the category that a cell means: by its text, else as the same number (`1`, `1.0`, 1) or truth value.

    Args:
        levels: The categories as text.
    """

    def __init__(self, levels: Sequence[str]) -> None:
        self.levels = tuple(levels)
        self._exact = {level: i for i, level in enumerate(levels)}
        aliases = [_alias(level) for level in levels]
        self._alias: Mapping[str, int] = {a: i for i, a in enumerate(aliases) if aliases.count(a) == 1}

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Read a column of categories.

        Args:
            cells: The column, any dtype. Length `n`.

        Returns:
            Positions in `levels`, -1 where a cell is refused, shape `n`; and a fault for each refused cell.
        """
        numbers, distinct = pd.factorize(cells.astype(object), use_na_sentinel=True)
        known = np.array([self._find(value) for value in distinct] + [-1], dtype=np.intp)
        codes = known[numbers]
        blank = is_blank(cells)
        faults = faults_where(blank, cells, "must be given")
        return codes, faults + faults_where((codes < 0) & ~blank, cells, f"must be one of {listed(self.levels)}")

    def _find(self, value: object) -> int:
        text = category_text(value)
        return self._exact.get(text, self._alias.get(_alias(text), -1))


def _alias(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return category_text(float(text))
    return text.casefold() if text.casefold() in ("true", "false") else text


def listed(values: Sequence[object]) -> str:
    """Return values as a list for a message, the first few of them."""
    shown = ", ".join(map(category_text, values[:_SHOWN]))
    return f"{shown}, … ({len(values)} in all)" if len(values) > _SHOWN else shown
