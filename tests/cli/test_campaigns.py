"""`init`, `validate`, `status` and `report`: from an empty folder to a report."""

from __future__ import annotations

import pandas as pd
import pytest

from discovery.campaign import load_spec


def test_init_writes_a_campaign_that_is_valid(cli, folder):
    """What `init` writes can be validated as it is."""
    answer = cli("init", "mine", "--json")
    assert answer.code == 0
    assert answer.json == {"files": ["mine.yaml", "mine_candidates.csv"]}
    assert cli("validate", "mine.yaml").code == 0
    assert load_spec(folder / "mine.yaml").name == "mine"


def test_init_overwrites_nothing(cli, folder):
    """A second `init` of the same name is refused and leaves the file alone."""
    cli("init", "mine")
    (folder / "mine.yaml").write_text("mine")
    answer = cli("init", "mine")
    assert answer.code == 1
    assert (folder / "mine.yaml").read_text() == "mine"


def test_validate_counts_what_there_is_and_stores_nothing(cli, file):
    """`validate` reads candidates and says what the campaign has; no store appears."""
    facts = cli("validate", file, "--json").json
    assert facts["is_valid"] is True
    assert (facts["campaign"], facts["n_candidates"], facts["budget"], facts["n_history"]) == ("lab", 12, 6, 0)
    assert "12 candidates" in cli("validate", file).out
    assert not list(file.parent.glob("*.duckdb"))


@pytest.mark.parametrize(
    "changes",
    [
        {"experience": {"simulators": [{"name": "reaction_kinetic"}]}},
        {"experiment": {"type": "simulator", "name": "reaction_kinetic"}},
    ],
    ids=["experience", "experiment"],
)
def test_validate_refuses_a_simulator_that_is_not_there(changes, cli, write):
    """A simulator's name that is written wrongly is found by `validate`, not by the first proposal."""
    answer = cli("validate", write(**changes))
    assert answer.code == 1
    assert "Did you mean 'reaction_kinetics'?" in answer.err and answer.err.count("\n") == 1


def test_validate_says_what_it_leaves_out_of_the_history(cli, write, folder):
    """Rows of the history that the campaign cannot use are no fault, and are not left out in silence."""
    rows = pd.read_csv(folder / "table.csv", dtype=str)
    rows.assign(temperature=rows["temperature"].replace("60", "hot")).to_csv(folder / "old.csv", index=False)
    file = write(experience={"history": ["old.csv"]})
    answer = cli("validate", file)
    assert answer.code == 0
    assert "of old.csv cannot be used. The first: data row" in answer.err and "temperature: must be a num" in answer.err
    n_hot = int((rows["temperature"] == "60").sum())
    assert n_hot and cli("validate", file, "--json").json["n_history_rows_left_out"] == {"old.csv": n_hot}


def test_validate_says_what_it_makes_of_another_history(cli, write, folder):
    """Levels that the campaign does not offer and columns that are not used are told, a likely misspelling too."""
    rows = pd.read_csv(folder / "table.csv").assign(operator="A")
    rows.assign(catalyst=rows["catalyst"].replace("SPhos", "Sphos")).to_csv(folder / "old.csv", index=False)
    file = write(experience={"history": ["old.csv"]})
    answer = cli("validate", file)
    assert answer.code == 0
    assert "Note: catalyst has levels that this campaign does not offer (Sphos)" in answer.err
    assert "Is 'Sphos' a misspelt 'SPhos'?" in answer.err
    assert "nothing is learned from these columns of the history: operator" in answer.err
    facts = cli("validate", file, "--json").json
    assert len(facts["history_differences"]) == 1 and facts["history_columns_unused"] == ["operator"]


def test_status_of_a_new_campaign_makes_no_store(cli, file):
    """`status` before the first run says so and leaves no file behind."""
    answer = cli("status", file)
    assert answer.code == 0
    assert "Nothing is stored yet" in answer.out
    assert cli("status", file, "--json").json["n_measurements"] == 0
    assert not list(file.parent.glob("*.duckdb"))


def test_status_says_what_is_best_and_what_comes_next(cli, file):
    """After results are in, `status` names the best configuration, and the command to go on with."""
    cli("ingest", file, "table.csv")
    facts = cli("status", file, "--json").json
    assert (facts["n_measurements"], facts["best"]["yield"], facts["best"]["catalyst"]) == (12, 90.0, "SPhos")
    assert facts["is_finished"] is True
    assert "Best yield: 90 %" in cli("status", file).out


def test_status_without_a_file_lists_the_store(cli, file, monkeypatch):
    """Without a file `status` lists the campaigns of the store that is meant."""
    cli("ingest", file, "table.csv")
    assert cli("status", "--json").json[0]["campaign"] == "lab"
    monkeypatch.setenv("DISCOVERY_STORE", str(file.parent / "other.duckdb"))
    assert cli("status").code == 1
    assert "lab" in cli("status", "--store", file.parent / "discovery.duckdb").out


def test_report_needs_a_campaign_that_is_known(cli, file):
    """A report of a campaign that was never run says so in one sentence."""
    answer = cli("report", file)
    assert answer.code == 1
    assert answer.err.count("\n") == 1 and "must exist" in answer.err


def test_report_writes_tables_json_and_a_page(cli, file, folder):
    """A report names the best, lists all measurements as JSON, and writes one HTML file."""
    cli("ingest", file, "table.csv")
    assert "90 %" in cli("report", file).out
    found = cli("report", file, "--json").json
    assert len(found["measurements"]) == 12 and found["headline"].startswith("The highest yield")
    assert cli("report", file, "--html", "page.html").code == 0
    assert "<html" in (folder / "page.html").read_text()
