"""Files and frames into raw rows: cells as they stand, nothing interpreted, nothing guessed.

A row that cannot be cut into cells is set aside with its number; only a file that is no table at all is refused whole.
Next in the tour: `discovery.ingest.checks`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from discovery.errors import InputError
from discovery.ingest.excel import read_workbook
from discovery.ingest.records import RawRows, RejectedRow

DELIMITERS = (",", ";", "\t")
SHOWN = 80
"""Characters of a malformed row that its rejection shows."""

UNITS = "(units)"
"""Stands under `proposal_id` in a sheet's second row of column names, which holds units and is no data."""

Table = tuple[pd.DataFrame, tuple[RejectedRow, ...]]


def read_rows(source: str | os.PathLike[str] | pd.DataFrame) -> RawRows:
    """Read a table of results.

    Args:
        source: A CSV (comma, semicolon or tab), Excel, Parquet or JSON-lines file, or a DataFrame.

    Returns:
        Its rows as they stand; rows without any cell and a row of units are left out, and keep their place in the
        numbering.

    Raises:
        ConfigurationError: If it is an Excel file and openpyxl is not installed.
        InputError: If it is neither, or the file is missing, of another type, no table, or names a column twice.
    """
    if isinstance(source, pd.DataFrame):
        frame = source.set_axis(range(1, len(source) + 1)).set_axis([str(c).strip() for c in source.columns], axis=1)
        content = frame.to_csv(index=False).encode()
        return RawRows(_cells(frame, "DataFrame"), "DataFrame", hashlib.sha256(content).hexdigest())
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            f"Results must be a file or a DataFrame; got {type(source).__name__} {source!r}.",
            "Give the path of a table, or pandas.DataFrame(rows).",
        )
    path = Path(source)
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            f"A file of results must be one of {', '.join(READERS)}; got {path}.", "Save the table as CSV (UTF-8)."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"A file of results must be readable; got {path}: {error.strerror}.") from error
    frame, malformed = read(content, path)
    cells = _cells(frame, str(path))
    if cells.empty and not malformed:
        raise InputError(f"{path} must hold at least one row of data; got column names alone.", "Save the table again.")
    return RawRows(cells, str(path), hashlib.sha256(content).hexdigest(), malformed, str(path.resolve()))


def _cells(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return a frame of objects with None where nothing stands, without empty rows and rows of units."""
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise InputError(f"Columns of {source} must have different names; got {', '.join(twice)} twice.")
    cells = frame.astype(object)
    cells = cells.where(cells.notna() & (cells != ""), None)
    cells = cells[cells.notna().any(axis="columns")]
    return cells[cells["proposal_id"] != UNITS] if "proposal_id" in cells else cells


def _read_csv(content: bytes, path: Path) -> Table:
    text = _decode(content, path)
    header = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=header.count)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} must be a CSV table; got: {error}.", "Check its quotes.") from error
    return _table(records, path)


def _read_excel(content: bytes, path: Path) -> Table:
    found = read_workbook(content, path)
    frame, malformed = _table(found.rows, path)
    wrong = [
        RejectedRow(i, str(frame.columns[j]), formula[:SHOWN], "must be a value; this formula has not been computed")
        for i, j, formula in found.formulas
        if i > 0
    ]
    is_good = ~frame.index.isin([row.row_number for row in wrong])
    return frame[is_good], tuple(sorted([*malformed, *wrong], key=lambda row: row.row_number))


def _table(records: Sequence[Sequence[object]], path: Path) -> Table:
    """Return rows of cells, column names first, as a frame; rows of another length are set aside."""
    if not records or all(_is_empty(cell) for cell in records[0]):
        raise InputError(f"{path} must begin with a row of column names; got an empty row.", "Save the table again.")
    names = [_text(name).strip() for name in records[0]]
    rows = pd.Series(list(records[1:]), index=range(1, len(records)), dtype=object)
    is_blank = rows.map(lambda cells: all(_is_empty(cell) for cell in cells)).astype(bool)
    is_whole = rows.map(lambda cells: _is_whole(cells, len(names))).astype(bool)
    whole = rows[is_whole & ~is_blank]
    frame = pd.DataFrame([cells[: len(names)] for cells in whole], index=whole.index, columns=names, dtype=object)
    wrong = rows[~is_whole & ~is_blank]
    return frame, _malformed(wrong, lambda cells: f"must have {len(names)} cells; got {len(cells)}")


def _is_empty(cell: object) -> bool:
    return cell is None or cell == ""


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _is_whole(cells: Sequence[object], n_columns: int) -> bool:
    """Return whether a row has a cell for each column; empty cells beyond the last column do not count."""
    return len(cells) >= n_columns and all(_is_empty(cell) for cell in cells[n_columns:])


def _read_json_lines(content: bytes, path: Path) -> Table:
    lines = _decode(content, path).splitlines()
    rows = pd.Series(lines, index=range(1, len(lines) + 1), dtype=object)
    rows = rows[rows.map(str.strip).astype(bool)]
    records = rows.map(_parse_object)
    is_whole = records.map(lambda record: isinstance(record, dict)).astype(bool)
    if not is_whole.any():
        raise InputError(f"{path} must hold one JSON object per line; got none.")
    frame = pd.DataFrame(records[is_whole].tolist(), index=records.index[is_whole], dtype=object)
    return frame, _malformed(rows[~is_whole], lambda _: "must be a JSON object")


def _parse_object(line: str) -> object:
    try:
        return json.loads(line, parse_constant=str)  # NaN and Infinity stay words, and are refused as numbers
    except ValueError:
        return None


def _read_parquet(content: bytes, path: Path) -> Table:
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow raises several unrelated classes for a damaged file
        raise InputError(f"{path} must be a Parquet file; got: {str(error).splitlines()[0]}.") from error
    return frame.set_axis(range(1, len(frame) + 1)).set_axis([str(c).strip() for c in frame.columns], axis=1), ()


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be UTF-8 text; got byte {content[error.start]:#x} at {error.start}.") from error


def _malformed(rows: pd.Series, reason: Callable[[Sequence[str]], str]) -> tuple[RejectedRow, ...]:
    shown = rows.map(lambda cells: cells if isinstance(cells, str) else ",".join(map(_text, cells)))
    return tuple(
        RejectedRow(number, "", text[:SHOWN], reason(cells))
        for number, cells, text in zip(rows.index.tolist(), rows, shown, strict=True)
    )


READERS: dict[str, Callable[[bytes, Path], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".xlsx": _read_excel,
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
"""How each type of file is read, by suffix."""
