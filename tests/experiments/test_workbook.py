"""Workbooks: what may be written where is seen, checked and locked; the plate map shows what the table says."""

from __future__ import annotations

import io

import openpyxl
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.experiments.plates import lay_out
from discovery.experiments.sheets import make_sheet, place_batch, plate_of
from discovery.experiments.workbook import workbook_bytes

PLATE = {"wells": 6, "order": "column", "controls": [{"name": "blank", "wells": ["B1"]}], "skip": ["A3"]}
LIGANDS = ["A", "=O", "B, with comma"]


def book(n: int = 5, wells: int = 6, is_plated: bool = True) -> openpyxl.Workbook:
    """Return the workbook of `n` proposals."""
    spec = CampaignSpec.from_mapping(
        {
            "name": "lab",
            "parameters": [
                {"name": "ligand", "type": "categorical", "values": LIGANDS},
                {"name": "temperature", "type": "continuous", "bounds": [20, 100], "unit": "degC"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}, {"name": "ee"}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "experiment": {"type": "manual", "plate": {**PLATE, "wells": wells}},
        }
    )
    rows = {"ligand": (LIGANDS * n)[:n], "temperature": [30.5] * n}
    frame = pd.DataFrame({"proposal_id": [f"lab-c001-{i:02d}" for i in range(n)], **rows})
    places = place_batch(lay_out(plate_of(spec), n), frame["proposal_id"].tolist(), "c001") if is_plated else None
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(make_sheet(spec, frame, "lab-c001", places))))


def column(page, name: str) -> list:
    """Return the cells of a column below its name and unit."""
    at = next(cell.column for cell in page[1] if cell.value == name)
    return [page.cell(i, at) for i in range(3, page.max_row + 1)]


def test_only_what_is_asked_for_is_unlocked_and_lit():
    """Outcomes and notes are free and stand out; what is given is locked, without a password; rows below are free."""
    page = book()["experiments"]
    assert page.protection.sheet and page.protection.password is None
    free = {cell.value for cell in page[1] if not page.cell(3, cell.column).protection.locked}
    assert free == {"yield", "ee", "status", "note"}
    lit = {name: column(page, name)[1].fill.start_color.rgb for name in ("temperature", "yield")}
    assert lit["yield"] == "00FFF3B0" != lit["temperature"]
    assert page.cell(2, 7).value == "degC" and page.cell(2, 8).protection.locked
    assert not page.column_dimensions["H"].protection.locked
    assert page.freeze_panes == "B3" and page.print_title_rows == "$1:$2"


def test_numbers_are_numbers_and_text_is_text():
    """A SMILES that begins with `=` is no formula, and is kept one when somebody edits the cell."""
    page = book()["experiments"]
    assert {cell.value for cell in column(page, "temperature") if cell.value is not None} == {30.5}
    odd = next(cell for cell in column(page, "ligand") if cell.value == "=O")
    assert (odd.data_type, odd.number_format, odd.quotePrefix) == ("s", "@", True)


def test_excel_warns_of_what_cannot_be():
    """Listed values are a list, also with commas in them; outcomes are numbers in their range; nothing is forbidden."""
    workbook = book()
    page, lists = workbook["experiments"], workbook["lists"]
    checks = {str(check.sqref).partition("3:")[0]: check for check in page.data_validations.dataValidation}
    assert {check.errorStyle for check in checks.values()} == {"warning"}
    assert (checks["F"].type, checks["F"].formula1) == ("list", "lists!$F$1:$F$3")
    assert [lists.cell(i, 6).value for i in (1, 2, 3)] == LIGANDS
    assert lists.sheet_state == "hidden"
    assert [(c.type, float(c.formula1), float(c.formula2)) for c in (checks["G"], checks["H"])] == [
        ("decimal", 20, 100),
        ("decimal", 0, 100),
    ]
    assert float(checks["I"].formula2) > 1e100


def test_the_plate_map_shows_what_the_table_says():
    """Every well of the table stands in the grid with run order and name; skipped wells are hatched."""
    workbook = book(n=5)  # four free wells: two plates
    page = workbook["plates"]
    tops = [cell.row for cell in page["A"] if cell.value and "plate c001-P" in str(cell.value)]
    assert len(tops) == 2 and [mark.id for mark in page.row_breaks.brk] == [tops[1] - 1]
    grids = [
        {f"{page.cell(top + 3 + i, 1).value}{j + 1}": page.cell(top + 3 + i, j + 2) for i in range(2) for j in range(3)}
        for top in tops
    ]
    shown = [{well: cell.value for well, cell in grid.items() if cell.value} for grid in grids]
    assert shown[0] == {
        "A1": "1\nc001-00",
        "B1": "2\nblank",
        "A2": "3\nc001-01",
        "B2": "4\nc001-02",
        "B3": "5\nc001-03",
    }
    assert shown[1] == {"A1": "6\nc001-04", "B1": "7\nblank"}
    assert grids[0]["A3"].fill.fill_type == "lightUp" and grids[1]["B3"].fill.fill_type is None
    assert page.page_setup.orientation == "landscape" and page.print_area == "'plates'!$A$1:$D$12"


@pytest.mark.parametrize("wells", [384, 1536])
def test_large_plates_show_run_orders(wells):
    """Where a well has no room for a name, the run order leads to its row."""
    page = book(n=3, wells=wells)["plates"]
    assert sorted(cell.value for row in page.iter_rows(min_row=4, min_col=2) for cell in row if cell.value) == [
        1,
        2,
        3,
        4,
    ]


def test_without_plates_there_is_no_map():
    """A plain list has the table and the explanation."""
    assert book(is_plated=False).sheetnames == ["experiments", "how to", "lists"]
