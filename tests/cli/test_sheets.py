"""`sheet`: approved proposals are handed over to people, open ones written again, and results find their way back."""

from __future__ import annotations

import shutil
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from discovery.ingest import read_rows
from discovery.session.controls import control_readings
from discovery.store import Store

PLATE = {"wells": 6, "order": "column", "controls": [{"name": "blank", "wells": ["A1"], "values": {"temperature": 40}}]}


@pytest.fixture
def manual(write) -> Path:
    """A campaign whose experiments people make on plates of six, sheets in Excel."""
    return write(experiment={"type": "manual", "format": "xlsx", "plate": PLATE}, acquisition={"batch_size": 3})


@pytest.fixture(scope="module")
def proposed(tmp_path_factory) -> Path:
    """Where the store and the models of three approved proposals lie, once they are made."""
    return tmp_path_factory.mktemp("proposed")


@pytest.fixture
def handed(cli, manual, folder, proposed) -> Path:
    """The sheet of three approved proposals; they are made once for all tests here."""
    if not list(proposed.iterdir()):
        cli("propose", manual)
        cli("review", manual, "--approve", "all")
        shutil.copytree(folder, proposed, dirs_exist_ok=True)
    shutil.copytree(proposed, folder, dirs_exist_ok=True)
    assert cli("sheet", manual).code == 0
    return folder / "lab-sheets" / "lab-c001.xlsx"


def fill_in(path: Path, values: dict[str, float]) -> None:
    """Fill in a sheet as a person does: open it, write yields beside proposals and controls, save it."""
    book = openpyxl.load_workbook(path)
    page = book["experiments"]
    at = {cell.value: cell.column for cell in page[1]}
    for row in page.iter_rows(min_row=3):
        name = row[at["proposal_id"] - 1].value or row[at["control"] - 1].value
        row[at["yield"] - 1].value = values.get(name)
    book.save(path)


def test_approved_proposals_are_handed_over_once(cli, manual, handed):
    """The sheet lies beside the campaign file, results are awaited, and a second call writes nothing."""
    before = handed.read_bytes()
    answer = cli("sheet", manual, "--json")
    assert answer.json == {"sheets": [str(handed)], "n_proposals": 3}
    assert handed.read_bytes() == before
    assert "3 of them in the laboratory" in cli("status", manual).out
    frame = read_rows(handed).frame
    assert frame["well"].tolist() == ["A1", "B1", "A2", "B2"]
    assert frame["control"].tolist() == ["blank", None, None, None]


def test_a_sheet_comes_back_as_it_fills(cli, manual, handed, folder):
    """Results land on their proposals, controls are kept aside, and what is still blank waits."""
    fill_in(handed, {"lab-c001-00": 81.5, "blank": 0.4})
    first = cli("ingest", manual, handed)
    assert "1 measurement added" in first.out and "2 not measured yet, 1 control kept aside" in first.out
    fill_in(handed, {"lab-c001-00": 81.5, "lab-c001-01": 7, "lab-c001-02": 9, "blank": 0.4})
    second = cli("ingest", manual, handed, "--json").json
    assert (second["n_added"], second["n_duplicates"], second["n_rejected"]) == (2, 1, 0)
    store = Store(folder / "discovery.duckdb")
    assert dict(zip(*store.measurements("lab")[["proposal_id", "yield"]].values.T, strict=True)) == {
        "lab-c001-00": 81.5,
        "lab-c001-01": 7,
        "lab-c001-02": 9,
    }
    assert set(store.trials("lab")["status"]) == {"COMPLETED"}
    assert control_readings(store, "lab")[["well", "value", "temperature"]].values.tolist() == [["A1", 0.4, 40]]


def test_open_proposals_are_written_again_in_their_wells(cli, manual, handed, folder):
    """What is measured is left out; the others keep well and run order, with the controls of their plate."""
    fill_in(handed, {"lab-c001-01": 7})
    cli("ingest", manual, handed)
    cli("propose", manual, "--n", "1")
    out = folder / "again.xlsx"
    answer = cli("sheet", manual, "--out", out)
    assert "1 proposal without a well" in answer.err
    frame = read_rows(out).frame.set_index("proposal_id", drop=False)
    assert frame["well"].tolist() == ["A1", "B1", "B2", None]
    assert [int(n) for n in frame["run_order"].dropna()] == [1, 2, 4]
    assert frame["proposal_id"].tolist() == [None, "lab-c001-00", "lab-c001-02", "lab-c002-00"]
    only = cli("sheet", manual, "--out", folder / "p.csv", "--status", "proposed", "--json").json
    assert only["n_proposals"] == 1
    assert list(pd.read_csv(folder / "p.csv", skiprows=[1])) == [
        *("proposal_id", "run_order", "catalyst", "temperature", "yield", "status", "note")
    ]


def test_where_nobody_is_handed_anything_open_proposals_are_written(cli, write, folder):
    """Without a laboratory in the file, `--out` writes what is open; without `--out` there is nothing to be done."""
    file = write(experiment=None)
    cli("propose", file)
    assert cli("sheet", file).code == 2
    answer = cli("sheet", file, "--out", folder / "s.xlsx", "--status", "open")
    assert answer.code == 0 and "2 results awaited: fill in yield" in answer.err
    assert len(read_rows(folder / "s.xlsx").frame) == 2
    assert "No proposal" in cli("sheet", file, "--out", folder / "none.csv", "--status", "approved").err
    assert not (folder / "none.csv").exists()


def test_results_are_not_written_over(cli, write, folder):
    """A sheet that is filled in stays, and nothing is proposed for it."""
    file, out = write(review={"mode": "auto"}), folder / "s.csv"
    cli("propose", file, "--sheet", out)
    out.write_text(out.read_text().replace(",,\n", ",50,\n", 1))
    for words in (["propose", file, "--sheet", out], ["sheet", file, "--out", out]):
        answer = cli(*words)
        assert answer.code == 1 and "must not replace a file that somebody may have filled in" in answer.err
    assert cli("propose", file, "--sheet", "s.pdf").code == 1
    assert len(Store(folder / "discovery.duckdb").proposals("lab")) == 2


def test_the_inbox_is_not_the_folder_of_the_sheets(cli, write):
    """The inbox moves what it takes in; sheets that wait must not be moved."""
    file = write(experiment={"type": "manual", "folder": "both"}, inbox="both")
    answer = cli("validate", file)
    assert answer.code == 1 and "inbox must be another folder than that of the sheets" in answer.err
