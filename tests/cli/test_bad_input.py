"""Bad input: one clear sentence, exit code 1, and the store as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from discovery.store import Store

PARAMETERS = [
    {"name": "catalyst", "type": "categorical", "values": ["XPhos", "SPhos", "BrettPhos"]},
    {"name": "temperature", "type": "continuous", "bounds": [30, 110]},
]
ROW = {"catalyst": "XPhos", "temperature": 40, "yield": 30.0}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"candidats": "table.csv"}, "did you mean 'candidates'"),
        ({"parameters": [{"name": "t", "type": "continuous", "bounds": [9, 3]}]}, "bounds"),
        ({"candidates": "nosuch.csv"}, "nosuch.csv"),
        ({"budget": {"experiments": "many"}}, "experiments"),
        ({"outcome_constraints": ["impurity == 5"]}, "not supported yet"),
    ],
    ids=["unknown key", "impossible bounds", "missing file", "wrong type", "not supported"],
)
@pytest.mark.parametrize("command", ["validate", "propose"])
def test_a_wrong_campaign_file_is_refused(command, changes, wanted, cli, write):
    """Every command refuses a wrong campaign file with a sentence that names the fault, before a store is made."""
    file = write(**changes)
    answer = cli(command, file)
    assert (answer.code, answer.out) == (1, "")
    assert wanted.lower() in answer.err.lower()
    assert answer.err.startswith("Error: ") and "Traceback" not in answer.err
    assert not list(file.parent.glob("*.duckdb"))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"catalyst": "Xphos"}, "catalyst"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": 500}, "temperature"),
        ({"yield": "lots"}, "yield"),
    ],
    ids=["category not in the list", "text in a number", "NaN in a number", "out of bounds", "text in an outcome"],
)
def test_a_bad_row_is_kept_aside_with_its_reason(changes, wanted, cli, write, folder):
    """A bad cell is named with row, column and value; the good row lands, the bad one does not."""
    file = write(parameters=PARAMETERS, candidates=None, experiment=None)
    pd.DataFrame([ROW, {**ROW, "temperature": 60, **changes}]).to_csv(folder / "results.csv", index=False)
    answer = cli("ingest", file, "results.csv")
    assert answer.code == 1
    assert "1 measurement added" in answer.out and "ingest it again" in answer.out
    assert f"results.csv, data row 2, {wanted}" in answer.err and answer.err.count("\n") == 1
    store = Store(folder / "discovery.duckdb")
    assert store.measurements("lab")["temperature"].tolist() == [40.0]
    assert store.rejected_rows("lab")["row_number"].tolist() == [2]


def test_what_lands_and_may_be_a_typing_error_is_named(cli, file, folder):
    """An outcome outside its range and a proposal that there is not land, with a warning that names row and value."""
    rows = pd.DataFrame([ROW, {**ROW, "temperature": 60, "yield": 300}, {**ROW, "temperature": 80}])
    rows.assign(proposal_id=["", "", "lab-c009-00"]).to_csv(folder / "results.csv", index=False)
    answer = cli("ingest", file, "results.csv")
    assert (answer.code, answer.err.count("\n")) == (0, 2)
    assert "data row 2, yield: 300 is outside its range, 0 to 100" in answer.err
    assert "data row 3, proposal_id: there is no proposal 'lab-c009-00'" in answer.err
    assert cli("ingest", file, "results.csv").err == ""


def test_a_table_of_column_names_alone_is_refused(cli, write, folder):
    """Results and history without a single row are a mistake, not an empty answer; nothing is stored."""
    pd.DataFrame(columns=list(ROW)).to_csv(folder / "blank.csv", index=False)
    file = write(experience={"history": ["blank.csv"]})
    for answer in (cli("ingest", file, "blank.csv"), cli("validate", file)):
        assert (answer.code, answer.out) == (1, "")
        assert "blank.csv must hold at least one row of data" in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (("review", "--approve", "lab-c009-00"), "`discovery review FILE` shows those to be decided."),
        (("backtest", "--methods", "belief,cold_pg"), "did you mean 'cold_gp'?"),
        (("evaluate", "--support", "500"), "at most."),
    ],
    ids=["proposal", "method", "support"],
)
def test_a_wrong_name_or_number_is_answered_with_the_right_one(command, wanted, cli, write):
    """What does not exist is named, with what to ask for instead, and the store stays as it was."""
    file = write()
    name, *more = command
    answer = cli(name, file, *more)
    assert answer.code in (1, 2) and answer.out == ""
    assert wanted in " ".join(answer.err.split()) and "Traceback" not in answer.err


@pytest.mark.parametrize("cell", ["Xphos", "", 5])
def test_a_bad_candidate_is_found_by_validate(cell, cli, write, folder):
    """A wrong cell in the table of candidates is refused by name before anything is built on it."""
    pd.DataFrame([ROW, {**ROW, "catalyst": cell}]).to_csv(folder / "pool.csv", index=False)
    answer = cli("validate", write(candidates="pool.csv"))
    assert answer.code == 1
    assert "pool.csv" in answer.err and "catalyst" in answer.err and answer.err.count("\n") == 1


def test_a_file_without_a_column_is_refused_whole(cli, file, folder):
    """Results that lack a parameter are refused, and nothing of them lands."""
    pd.DataFrame([ROW]).drop(columns="temperature").to_csv(folder / "results.csv", index=False)
    answer = cli("ingest", file, "results.csv")
    assert answer.code == 1
    assert "temperature" in answer.err and answer.err.count("\n") == 1
    assert Store(folder / "discovery.duckdb").measurements("lab").empty


def test_the_same_file_twice_adds_nothing(cli, file):
    """A file that was ingested before adds no measurement, and says so with code 0."""
    first, second = (cli("ingest", file, "table.csv", "--json") for _ in range(2))
    assert (first.code, first.json["n_added"]) == (0, 12)
    assert (second.code, second.json["n_added"], second.json["n_duplicates"]) == (0, 0, 12)


@pytest.mark.parametrize("command", [("propose",), ("ingest", "table.csv"), ("status",), ("report",), ("export",)])
def test_a_corrupt_store_is_named_and_left_alone(command, cli, file, folder):
    """A file that is no DuckDB database is refused in one sentence and not touched."""
    (folder / "discovery.duckdb").write_bytes(b"no database at all" * 1000)
    name, *more = command
    answer = cli(name, file, *more)
    assert answer.code == 1
    assert "discovery.duckdb" in answer.err and answer.err.count("\n") == 1
    assert (folder / "discovery.duckdb").read_bytes() == b"no database at all" * 1000


def test_a_locked_store_says_who_holds_it(cli, file, folder, monkeypatch):
    """While another process holds the store, a command waits and then says so."""
    cli("ingest", file, "table.csv")
    monkeypatch.setattr(Store.of.__func__, "__defaults__", (0.3,))
    code = "import duckdb,sys; c=duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "discovery.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    answer = cli("status", file)
    holder.communicate("")
    assert answer.code == 1
    assert str(holder.pid) in answer.err and answer.err.count("\n") == 1
    assert cli("status", file).code == 0


def test_a_checkpoint_of_another_space_is_refused(cli, file, folder):
    """A checkpoint that was made for other parameters is not used; the sentence says what to do."""
    cli("meta-train", file)
    path = next((folder / "models").glob("*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "space_hash": "0" * 16}))
    answer = cli("replay", _proposal_made_before(cli, file, path))
    assert answer.code == 1
    assert "space" in answer.err and "meta-train" in answer.err and answer.err.count("\n") == 1


def _proposal_made_before(cli, file: Path, checkpoint: Path) -> str:
    """Propose with the sound checkpoint, then put the foreign one back; return the proposal's id."""
    foreign = checkpoint.read_text()
    checkpoint.write_text(json.dumps({**json.loads(foreign), "space_hash": _own_space(file)}))
    proposal = cli("propose", file, "--json").json[0]["proposal_id"]
    checkpoint.write_text(foreign)
    return str(proposal)


def _own_space(file: Path) -> str:
    from discovery.campaign import load_spec
    from discovery.space import SearchSpace

    return SearchSpace.from_spec(load_spec(file)).schema_hash
