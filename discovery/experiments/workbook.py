"""Sheets as Excel workbooks: what may be written where is seen at a glance, and plates can be printed and pinned up.

Worksheets: `experiments` (read back by `discovery ingest`), `plates` where there are any, and `how to`. Cells that are
given are locked without a password; the others, and the rows below, are free. Next in the tour:
`discovery.experiments.manual`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

from discovery.experiments.platemap import add_plates
from discovery.experiments.style import FILLS, INK, TITLE, border, fill, font, title_page
from discovery.ingest.excel import EXPERIMENTS, openpyxl

if TYPE_CHECKING:
    from discovery.experiments.sheets import Column, Sheet

LISTS = "lists"
"""Hidden worksheet with the values that may be chosen."""
N_FREE = 200
"""Rows below the table whose cells are checked too, for experiments that nobody proposed."""
WIDTHS = (9, 44)
"""Narrowest and widest column, characters."""
HOW_TO = (
    "Fill in the yellow cells of the worksheet experiments; one row is one experiment.",
    "Leave an outcome blank, or write PENDING, where it is not measured yet; the row may be filled in later.",
    "Use a decimal point or a decimal comma as your Excel does: numbers are read as numbers.",
    "Grey cells say what is to be done. Where something else was done, take the protection off (no password) and write",
    "what was done; the result counts for that. Further experiments may stand in rows below, without a proposal_id.",
    "Rows with a control are read and kept aside; they are no results of the campaign.",
    "Save the file, then: discovery ingest <campaign file> <this file>, or put a copy into the campaign's inbox.",
)


def workbook_bytes(sheet: Sheet) -> bytes:
    """Return a sheet as the content of an Excel file.

    Raises:
        ConfigurationError: If openpyxl is not installed.
    """
    workbook = openpyxl().Workbook()
    _fill_experiments(workbook.active, sheet)
    if sheet.plate is not None and not sheet.rows.empty:
        add_plates(workbook, sheet)
    _add_how_to(workbook)
    _add_checks(workbook, sheet)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _fill_experiments(page: Any, sheet: Sheet) -> None:
    """Write the table: column names, units, one row per experiment."""
    page.title = EXPERIMENTS
    records = sheet.records
    n_head = 1 + len(records) - len(sheet.rows)
    for j, column in enumerate(sheet.columns, start=1):
        head = page.cell(1, j, column.name)
        _paint_head(head, column)
        for i, record in enumerate(records, start=2):
            _write(page.cell(i, j), record[j - 1], column, is_unit=i <= n_head)
        _free_column(page, j, [column.name, *(_shown(record[j - 1]) for record in records)])
    _paint_controls(page, sheet, n_head)
    page.freeze_panes = page.cell(n_head + 1, 2)
    page.protection.sheet = True
    page.protection.formatColumns = page.protection.formatRows = page.protection.formatCells = False  # False allows
    title_page(page, sheet.name)
    page.print_title_rows = f"1:{n_head}"


def _paint_head(cell: Any, column: Column) -> None:
    """Write what a column is in bold, with what may stand there as a note."""
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment

    cell.font, cell.fill = font(bold=True, color="FFFFFF"), fill(INK)
    cell.alignment = Alignment(vertical="center", wrap_text=True)
    cell.data_type = "s"
    said = _what_may_stand(column)
    if said:
        cell.comment = Comment(said, "discovery", width=260, height=90)


def _what_may_stand(column: Column) -> str:
    """Say in words what may stand in a column."""
    unit = f" {column.unit}" if column.unit else ""
    if column.bounds is not None:
        return f"{column.role}: {column.bounds[0]:g} to {column.bounds[1]:g}{unit}"
    if column.values:
        return f"{column.role}: one of {len(column.values)} values{unit and f', in{unit}'}"
    return f"{column.role}:{unit}" if unit else ""


def _write(cell: Any, value: object, column: Column, is_unit: bool) -> None:
    """Write one cell: text as text whatever it looks like, numbers as numbers; only what is asked for is unlocked."""
    from openpyxl.styles import Alignment, Protection

    cell.value = value
    if isinstance(value, str):
        cell.data_type, cell.number_format = "s", "@"
        cell.quotePrefix = value[:1] in "=+-@"  # Excel would make a formula of it when somebody edits the cell
    elif isinstance(value, float):
        cell.value = repr(value)  # openpyxl itself would leave out the last digit
        cell.data_type = "n"
    is_asked = column.role in ("outcome", "note") and not is_unit
    cell.protection = Protection(locked=not is_asked)
    cell.fill = fill(FILLS["unit" if is_unit else column.role])
    cell.border = border()
    side = "left" if column.role == "place" else None
    cell.alignment = Alignment(horizontal=side, vertical="top", wrap_text=column.role == "note")
    if is_unit:
        cell.font = font(italic=True, color="595959")


def _shown(value: object) -> str:
    """Return a cell as it needs to be seen; a number in full stands behind it."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _free_column(page: Any, j: int, texts: list[str]) -> None:
    """Set a column's width, and unlock its cells below the table."""
    from openpyxl.styles import Protection
    from openpyxl.utils import get_column_letter

    dimension = page.column_dimensions[get_column_letter(j)]
    longest = max(len(text) for text in texts)
    dimension.width = min(max(longest + 3, WIDTHS[0]), WIDTHS[1])
    dimension.protection = Protection(locked=False)


def _paint_controls(page: Any, sheet: Sheet, n_head: int) -> None:
    """Set rows of controls apart."""
    if "control" not in sheet.rows or sheet.plate is None:
        return
    for i, name in enumerate(sheet.rows["control"], start=n_head + 1):
        for cell in page[i] if name is not None else ():
            cell.font = font(italic=True)
            if cell.protection.locked:
                cell.fill = fill(FILLS["control"])


def _add_how_to(workbook: Any) -> None:
    page = workbook.create_sheet("how to")
    for i, sentence in enumerate(HOW_TO, start=1):
        page.cell(i, 1, sentence)
    page["A1"].font = font(bold=True, size=TITLE)
    page.column_dimensions["A"].width = 110
    title_page(page, "how to")


def _add_checks(workbook: Any, sheet: Sheet) -> None:
    """Let Excel check what is typed: lists for listed values, numbers within bounds; it warns and does not forbid."""
    from openpyxl.utils import get_column_letter

    page, lists = workbook[EXPERIMENTS], workbook.create_sheet(LISTS)
    lists.sheet_state = "hidden"
    first = 2 + len(sheet.records) - len(sheet.rows)
    last = first + len(sheet.rows) + N_FREE
    for j, column in enumerate(sheet.columns, start=1):
        if column.role not in ("parameter", "outcome") and not column.values:
            continue
        if column.values:
            letter = get_column_letter(j)
            for i, value in enumerate(column.values, start=1):
                _write(lists.cell(i, j), value, column, is_unit=False)
            check = _check("list", f"{LISTS}!${letter}$1:${letter}${len(column.values)}", "", column)
        elif not column.is_text:
            low, high = column.bounds or (-1e300, 1e300)
            check = _check("decimal", repr(float(low)), repr(float(high)), column)
        else:
            continue
        check.add(f"{get_column_letter(j)}{first}:{get_column_letter(j)}{last}")
        page.add_data_validation(check)


def _check(kind: Literal["list", "decimal"], low: str, high: str, column: Column) -> Any:
    """Return a check of cells that warns."""
    from openpyxl.worksheet.datavalidation import DataValidation

    rule = "one of the list" if kind == "list" else "a number"
    if column.bounds is not None:
        rule += f" from {column.bounds[0]:g} to {column.bounds[1]:g}"
    return DataValidation(
        type=kind,
        formula1=low,
        formula2=high or None,
        operator=None if kind == "list" else "between",
        allow_blank=True,
        errorStyle="warning",
        errorTitle=column.name[:32],
        error=f"{column.name} should be {rule}{f', in {column.unit}' if column.unit else ''}."[:255],
        showErrorMessage=True,
    )
