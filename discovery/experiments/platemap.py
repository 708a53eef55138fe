"""The plate map of a workbook: every plate as a grid of wells with what stands where, to print and to pin up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discovery.campaign import PLATES
from discovery.experiments.plates import wells_of
from discovery.experiments.style import CONTROLS, FILLS, INK, TITLE, border, fill, font, title_page

if TYPE_CHECKING:
    from discovery.campaign import Plate
    from discovery.experiments.sheets import Sheet

SIZES = {6: (20, 60, 12), 12: (20, 60, 12), 24: (17, 50, 11), 48: (13, 42, 10), 96: (10.5, 34, 9)}
"""Width and height of a well and size of its text; larger plates show run orders only."""
SMALL = {384: (5, 18, 8), 1536: (4, 13, 6)}


def add_plates(workbook: Any, sheet: Sheet) -> None:
    """Add the worksheet `plates`, one plate under the other, each on a page of its own."""
    from openpyxl.worksheet.pagebreak import Break

    plate = sheet.plate
    if plate is None:
        return
    page = workbook.create_sheet("plates")
    n_rows, n_columns = PLATES[plate.wells]
    width, height, size = (SIZES | SMALL)[plate.wells]
    page.column_dimensions["A"].width = 4
    for j in range(n_columns):
        page.column_dimensions[page.cell(1, j + 2).column_letter].width = width
    names = sheet.rows["plate"].dropna().unique().tolist()
    for number, name in enumerate(names):
        top = 1 + number * (n_rows + 4)
        _title(
            page, top, f"{sheet.name}: plate {name}, {plate.wells} wells", [control.name for control in plate.controls]
        )
        _grid(page, top + 2, plate, size)
        _fill_wells(page, top + 2, sheet.rows[sheet.rows["plate"] == name].to_dict("records"), plate, size)
        for i in range(n_rows):
            page.row_dimensions[top + 3 + i].height = height
        if number < len(names) - 1:
            page.row_breaks.append(Break(id=top + n_rows + 3))
    page.protection.sheet = True
    title_page(page, sheet.name)
    page.print_area = f"A1:{page.cell(1, n_columns + 1).column_letter}{len(names) * (n_rows + 4)}"


def _title(page: Any, row: int, text: str, controls: list[str]) -> None:
    """Write the title of a plate and, below it, the colors of controls."""
    from openpyxl.styles import Alignment

    page.cell(row, 1, text).font = font(bold=True, size=TITLE)
    for j, name in enumerate(controls):
        cell = page.cell(row + 1, 2 + j, name)
        cell.fill, cell.border, cell.data_type = fill(_color(j)), border(), "s"
        cell.alignment = Alignment(horizontal="center", shrink_to_fit=True)


def _grid(page: Any, top: int, plate: Plate, size: int) -> None:
    """Draw an empty plate: letters of rows, numbers of columns; wells that stay empty are hatched."""
    from openpyxl.styles import Alignment, PatternFill

    n_rows, n_columns = PLATES[plate.wells]
    wells = wells_of(plate)
    middle = Alignment(horizontal="center", vertical="center", wrap_text=True, shrink_to_fit=plate.wells > 96)
    for j in range(n_columns):
        cell = page.cell(top, j + 2, j + 1)
        cell.font, cell.alignment = font(bold=True, size=size, color=INK), middle
    for i in range(n_rows):
        head = page.cell(top + 1 + i, 1, wells.names[i * n_columns].rstrip("0123456789"))
        head.font, head.alignment = font(bold=True, size=size, color=INK), middle
        for j in range(n_columns):
            cell = page.cell(top + 1 + i, j + 2)
            cell.border, cell.alignment, cell.font = border(), middle, font(size=size)
            if i * n_columns + j in wells.empty:
                cell.fill = PatternFill("lightUp", start_color="B8BEC6", end_color=FILLS["empty"])


def _fill_wells(page: Any, top: int, rows: list[dict[str, Any]], plate: Plate, size: int) -> None:
    """Write into each used well when it runs and, where there is room, which proposal or control it holds."""
    _, n_columns = PLATES[plate.wells]
    where = {name: i for i, name in enumerate(wells_of(plate).names)}
    numbers = {control.name: j for j, control in enumerate(plate.controls)}
    for row in [row for row in rows if row["well"] in where]:  # a person may have changed the cell
        i, j = divmod(where[row["well"]], n_columns)
        cell = page.cell(top + 1 + i, j + 2)
        is_control = row["control"] is not None
        held = str(row["control"] if is_control else "-".join(str(row["proposal_id"]).rsplit("-", 2)[-2:]))
        cell.value = f"{row['run_order']}\n{held}" if plate.wells in SIZES else row["run_order"]
        cell.fill = fill(_color(numbers.get(row["control"], 0)) if is_control else FILLS["used"])
        cell.font = font(size=size, italic=is_control)


def _color(number: int) -> str:
    return CONTROLS[number % len(CONTROLS)]
