"""Workbooks are read as a person sees them: text is text, a formula is its value, and nothing is guessed."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError
from discovery.ingest import check_rows, excel, read_rows
from discovery.space import SearchSpace

HEAD = ["ligand", "temperature", "yield"]
SPEC = CampaignSpec.from_mapping(
    {
        "name": "lab",
        "parameters": [
            {"name": "ligand", "type": "categorical", "values": ["A", "1", "2-3", "true"]},
            {"name": "temperature", "type": "continuous", "bounds": [0, 100]},
        ],
        "objectives": [{"name": "yield", "goal": "maximize"}],
    }
)
SPACE = SearchSpace.from_spec(SPEC)


def save(path: Path, *rows: list, title: str = "Sheet1", first: list[list] | None = None) -> Path:
    """Write a workbook, with another worksheet before it where one is given."""
    book = openpyxl.Workbook()
    sheet = book.active
    if first is not None:
        for row in first:
            sheet.append(row)
        sheet = book.create_sheet()
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def with_computed(path: Path, cell: str, xml: str) -> Path:
    """Replace a cell of the first worksheet by other XML, as a spreadsheet program writes a computed formula."""
    parts = {}
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    name = "xl/worksheets/sheet1.xml"
    text = parts[name].decode()
    start = text.index(f'<c r="{cell}"')
    stop = min(n for n in (text.find("</c>", start) + 4, text.find("/>", start) + 2) if n > start + 2)
    parts[name] = (text[:start] + xml + text[stop:]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for part, content in parts.items():
            new.writestr(part, content)
    path.write_bytes(out.getvalue())
    return path


def test_a_workbook_is_read_like_a_table(tmp_path):
    """Numbers come as numbers and text as text; blank rows are no rows and keep their place."""
    path = save(tmp_path / "r.xlsx", HEAD, ["A", 10, 50.5], [], ["", None, ""], ["1", 20.25, None])
    raw = read_rows(path)
    assert raw.frame.columns.tolist() == HEAD
    assert raw.frame.index.tolist() == [1, 4]
    assert raw.frame.values.tolist() == [["A", 10, 50.5], ["1", 20.25, None]]
    checked = check_rows(raw, SPEC, SPACE)
    assert (checked.row_numbers, checked.n_pending, checked.rejected) == ((1,), 1, ())


def test_the_sheet_named_experiments_is_read(tmp_path):
    """A workbook may hold other worksheets; without one of that name the first is meant."""
    notes = [["to do"], ["buy acid"]]
    named = save(tmp_path / "a.xlsx", HEAD, ["A", 10, 50.5], title="Experiments", first=notes)
    assert read_rows(named).frame.columns.tolist() == HEAD
    other = save(tmp_path / "b.xlsx", HEAD, ["A", 10, 50.5], title="more", first=notes)
    assert read_rows(other).frame.columns.tolist() == ["to do"]


def test_formatted_cells_beyond_the_table_do_not_count_and_values_do(tmp_path):
    """A row with a value beyond the last column cannot be read safely; one with a border there can."""
    path = save(tmp_path / "r.xlsx", [*HEAD, None], ["A", 10, 1, "see notebook"], ["A", 20, 2])
    book = openpyxl.load_workbook(path)
    book.active["F3"].font = openpyxl.styles.Font(bold=True)
    book.save(path)
    raw = read_rows(path)
    assert raw.frame.index.tolist() == [2]
    assert [(row.row_number, row.reason) for row in raw.malformed] == [(1, "must have 3 cells; got 4")]


def test_text_that_looks_like_a_formula_stays_text(tmp_path):
    """A SMILES that begins with `=` is read as it was written."""
    path = tmp_path / "r.xlsx"
    book = openpyxl.Workbook()
    book.active.append(HEAD)
    book.active.append([None, 10, 1])
    book.active["A2"].value, book.active["A2"].data_type = "=O", "s"
    book.save(path)
    assert read_rows(path).frame["ligand"].tolist() == ["=O"]


@pytest.mark.parametrize(
    ("xml", "value"),
    [('<c r="C2"><f>A1</f><v>42.5</v></c>', 42.5), ('<c r="C2" t="str"><f>IF(1,"",1)</f><v></v></c>', None)],
)
def test_a_computed_formula_is_its_value(tmp_path, xml, value):
    """What the spreadsheet showed is what counts; a formula that shows nothing is a blank cell."""
    path = with_computed(save(tmp_path / "r.xlsx", HEAD, ["A", 10, 1], ["A", 11, 2]), "C2", xml)
    raw = read_rows(path)
    assert (raw.frame["yield"].tolist(), raw.malformed) == ([value, 2], ())


def test_a_formula_that_was_never_computed_keeps_its_row_out(tmp_path):
    """It is not mistaken for a blank cell: the row is refused with the formula."""
    raw = read_rows(save(tmp_path / "r.xlsx", HEAD, ["A", 10, "=B2*2"], ["A", 20, 2]))
    assert raw.frame.index.tolist() == [2]
    assert [(r.row_number, r.column, r.value) for r in raw.malformed] == [(1, "yield", "=B2*2")]


@pytest.mark.parametrize("column", HEAD)
def test_a_date_that_a_spreadsheet_made_is_refused_with_its_row(tmp_path, column):
    """`2-3` that became the second of March is no category and no number, and says what happened."""
    row = dict(zip(HEAD, ["2-3", 10, 1], strict=True)) | {column: datetime(2026, 3, 2)}
    path = save(tmp_path / "r.xlsx", [*HEAD, "measured_on"], [*row.values(), datetime(2026, 3, 2)])
    checked = check_rows(read_rows(path), SPEC, SPACE)
    assert [(r.row_number, r.column) for r in checked.rejected] == [(1, column)]
    assert "must not be a date or time" in checked.rejected[0].reason


def test_a_date_beside_the_measurement_is_kept(tmp_path):
    """When something was measured is provenance like any other."""
    path = save(tmp_path / "r.xlsx", [*HEAD, "measured_on"], ["2-3", 10, 1, datetime(2026, 3, 2)])
    checked = check_rows(read_rows(path), SPEC, SPACE)
    assert checked.rejected == ()
    assert str(checked.extra["measured_on"][0]).startswith("2026-03-02")


def test_categories_that_look_like_numbers_or_truth_are_found(tmp_path):
    """Excel turns `1` into a number and `true` into a truth value; both mean the category of that text."""
    checked = check_rows(read_rows(save(tmp_path / "r.xlsx", HEAD, [1, 10, 1], [True, 10, 1])), SPEC, SPACE)
    assert (checked.frame["ligand"].tolist(), checked.rejected) == (["1", "true"], ())


def test_an_error_in_a_cell_is_refused_as_what_it_is(tmp_path):
    """`#DIV/0!` is shown as it stands."""
    checked = check_rows(read_rows(save(tmp_path / "r.xlsx", HEAD, ["A", 10, "#DIV/0!"])), SPEC, SPACE)
    assert [(r.column, r.value, r.reason) for r in checked.rejected] == [("yield", "#DIV/0!", "must be a number")]


def test_an_empty_workbook_is_refused_whole(tmp_path):
    """Nothing on the first worksheet is no table."""
    with pytest.raises(InputError, match="must begin with a row of column names"):
        read_rows(save(tmp_path / "r.xlsx"))


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    """Where openpyxl is missing, CSV still works and Excel says how to get it."""
    path = save(tmp_path / "r.xlsx", HEAD, ["A", 10, 1])
    excel.openpyxl.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'discovery-pipeline\[excel\]'"):
        read_rows(path)
    monkeypatch.undo()
    excel.openpyxl.cache_clear()
    assert len(read_rows(path).frame) == 1
