"""Excel workbooks as rows of cells: text stays text, numbers stay numbers, a formula is the value it was computed to.

openpyxl is an extra and is loaded when a workbook is read or written. Next in the tour: `discovery.ingest.readers`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from discovery.errors import ConfigurationError, InputError

EXPERIMENTS = "experiments"
"""The worksheet that is read where a workbook has one of this name; else its first."""


@dataclass(frozen=True)
class WorkbookRows:
    """The cells of one worksheet.

    Attributes:
        rows: Every row from the first of the worksheet on, blank ones included, with a cell for each column that the
            first row names, and more where there are more; None where a cell holds nothing, truth values as text.
        formulas: Cells in these columns that hold a formula and no value: row and column from 0, and the formula.
    """

    rows: tuple[tuple[object, ...], ...]
    formulas: tuple[tuple[int, int, str], ...]


@cache
def openpyxl() -> ModuleType:
    """Return openpyxl.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        import openpyxl as found
    except ImportError:
        raise ConfigurationError(
            "Excel files need openpyxl, which is not installed.",
            "Install it: python -m pip install 'discovery-pipeline[excel]', or use CSV.",
        ) from None
    return found


def read_workbook(content: bytes, path: Path) -> WorkbookRows:
    """Read the worksheet `experiments`, or else the first one.

    Args:
        content: The file.
        path: Its name, for messages.

    Raises:
        ConfigurationError: If openpyxl is not installed.
        InputError: If it is no workbook, or has no worksheet.
    """
    library = openpyxl()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about drawings and styles, which nobody reads here
            values, formulas = (tuple(_rows(library, content, data_only=only)) for only in (True, False))
    except Exception as error:  # a damaged file raises whatever its parts do
        raise InputError(
            f"{path} must be an Excel workbook (.xlsx); got: {(str(error).splitlines() or [''])[0]}.",
            "Save it again, or as CSV (UTF-8).",
        ) from error
    n_columns = max((j + 1 for j, cell in enumerate(values[0]) if cell.value is not None), default=0) if values else 0
    empty = [
        (i, j, str(getattr(formula.value, "text", formula.value)))
        for i, (row, written) in enumerate(zip(values, formulas, strict=True))
        for j, (cell, formula) in enumerate(zip(row[:n_columns], written[:n_columns], strict=True))
        if formula.data_type == "f" and cell.value is None and cell.data_type != "str"  # `str`: computed to no text
    ]
    return WorkbookRows(tuple(_cells(row, n_columns) for row in values), tuple(empty))


def _rows(library: ModuleType, content: bytes, data_only: bool) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of cells of the worksheet that is meant."""
    workbook = library.load_workbook(io.BytesIO(content), read_only=True, data_only=data_only)
    named = {sheet.title.strip().casefold(): sheet for sheet in reversed(workbook.worksheets)}
    sheet = named.get(EXPERIMENTS, next(iter(reversed(named.values())), None))
    if sheet is None:
        raise ValueError("no worksheet")
    sheet.reset_dimensions()  # programs write wrong ones
    yield from sheet.iter_rows()
    workbook.close()


def _cells(row: tuple[Any, ...], n_columns: int) -> tuple[object, ...]:
    """Return the values of a row: it ends anywhere in the file, and cells behind the last column may be formatted."""
    cells = [str(cell.value).lower() if isinstance(cell.value, bool) else cell.value for cell in row]
    while len(cells) > n_columns and cells[-1] is None:
        cells.pop()
    return (*cells, *[None] * (n_columns - len(cells)))
