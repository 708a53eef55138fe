"""docs/sheets.md is true: its campaign is handed over, filled in and sent back by its own commands."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import openpyxl
import pytest

from discovery.campaign import PLATES, Plate
from discovery.ingest import read_rows

BACK = "## Sending it back"


@pytest.fixture(scope="module")
def walked(tmp_path_factory, read_doc, walk_text):
    """The folder after all commands of the document, with their answers; the sheet is filled in between."""
    folder, text = tmp_path_factory.mktemp("sheets"), read_doc("sheets.md")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("DISCOVERY_CACHE", str(folder / "cache"))
        for name in ("DISCOVERY_STORE", "DISCOVERY_DEBUG", "PREFECT_API_URL"):
            patch.delenv(name, raising=False)
        before = walk_text(text.partition(BACK)[0], folder)
        fill_in(folder / "coupling-sheets" / "coupling-c001.xlsx")
        return folder, [*before, *walk_text(text.partition(BACK)[2], folder)]


def fill_in(path: Path) -> None:
    """Write a yield into the first ten rows, two of them controls."""
    book = openpyxl.load_workbook(path)
    page = book["experiments"]
    at = next(cell.column for cell in page[1] if cell.value == "yield")
    for i in range(3, 13):
        page.cell(i, at).value = 5.5 * i
    book.save(path)


def test_the_commands_end_as_written(walked):
    """Every command of the document works, in its order."""
    _, answers = walked
    assert [(answer.command, answer.code, answer.err) for answer in answers if answer.code != answer.expected] == []
    assert len(answers) == 7


def test_the_sheet_is_where_the_text_says(walked):
    """`sheet` prints the file; results land, controls are kept aside, the rest is still awaited."""
    _, answers = walked
    said = {answer.command.partition("  #")[0]: answer.out for answer in answers}
    assert said["discovery sheet coupling.yaml"].strip().endswith("coupling-sheets/coupling-c001.xlsx")
    ingested = said["discovery ingest coupling.yaml coupling-sheets/coupling-c001.xlsx"]
    assert "8 measurements added" in ingested and "8 not measured yet, 2 controls kept aside" in ingested
    assert "8 open proposals, 8 of them in the laboratory" in said["discovery status coupling.yaml"]


def test_what_is_open_is_written_again(walked):
    """Both files hold the eight experiments that are left, in the wells that they had, and the controls."""
    folder, _ = walked
    first = read_rows(folder / "coupling-sheets" / "coupling-c001.xlsx").frame.set_index("proposal_id")["well"]
    for name in ("open.xlsx", "open.csv"):
        frame = read_rows(folder / name).frame
        left = frame.dropna(subset="proposal_id")
        assert (len(left), len(frame)) == (8, 11)
        assert left["well"].tolist() == first[left["proposal_id"]].tolist()


def test_the_script_prints_the_controls(walked, doc_blocks, monkeypatch, capsys):
    """The readings of the controls come out as the text says."""
    folder, _ = walked
    monkeypatch.chdir(folder)
    (script,) = doc_blocks("sheets.md", "python")
    exec(compile(script, "sheets.md", "exec"), {})
    assert re.findall(r"(blank|reference) +c001-P1 +(\w+)", capsys.readouterr().out) == [
        ("blank", "A1"),
        ("reference", "A6"),
    ]


def test_the_table_of_keys_is_that_of_the_plate(read_doc):
    """Every key of a plate has a row, and every format is named."""
    table = read_doc("sheets.md").partition("| key of `experiment.plate` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(Plate.model_fields)
    assert all(str(wells) in table for wells in PLATES)
