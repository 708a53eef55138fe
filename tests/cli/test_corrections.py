"""`correct`, `retract` and `changes`, and what `validate`, `report` and `status` say about changes."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture
def measured(cli, file, folder, monkeypatch):
    """The campaign with three results in its store."""
    monkeypatch.setenv("DISCOVERY_USER", "ada")
    rows = pd.read_csv(folder / "table.csv").head(3)
    rows.to_csv(folder / "results.csv", index=False)
    assert cli("ingest", file, folder / "results.csv").code == 0
    return file


def test_a_correction_is_said_and_told(cli, measured):
    """What was and is, who and why come back from the commands, as text and as JSON."""
    done = cli("correct", measured, "lab-m0002", "yield=81.5", "--reason", "digits transposed")
    assert done.code == 0
    assert "lab-m0002 is corrected to lab-m0002-r1: yield 36 -> 81.5. 3 of 6 experiments" in done.out
    gone = cli("retract", measured, "lab-m0003", "--reason", "wrong vial", "--by", "bea", "--json").json
    assert (gone["is_retracted"], gone["by"], gone["corrected_id"]) == (True, "bea", "lab-m0003")
    assert "2 corrections of measurements: discovery changes" in cli("status", measured).out
    assert cli("status", measured, "--json").json["n_corrections"] == 2
    story = cli("changes", measured).out
    assert ", ada: lab-m0002 corrected to lab-m0002-r1, yield 36 -> 81.5 (digits transposed)." in story
    assert ", bea: lab-m0003 retracted (wrong vial)." in story
    told = cli("changes", measured, "--json").json
    assert [row["measurement_id"] for row in told["corrections"]] == ["lab-m0002-r1", "lab-m0003-r1"]
    assert told["corrections"][0]["outcomes"] == {"yield": 81.5}
    assert told["is_current"] is True


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("correct", "lab-m002", "yield=1", "--reason", "x"), 1, "Did you mean lab-m0002?"),
        (("correct", "lab-m0002", "yeild=1", "--reason", "x"), 1, "Did you mean 'yield'?"),
        (("correct", "lab-m0002", "yield", "--reason", "x"), 1, "must read parameter=value"),
        (("correct", "lab-m0002", "yield=1"), 2, "--reason"),
        (("retract", "lab-m0002", "--reason", ""), 1, "must say why"),
        (("retract", "nothing", "--reason", "x"), 1, "It has 3 rows, lab-m0001 to lab-m0003."),
    ],
)
def test_what_is_no_correction_is_one_sentence(cli, measured, words, code, said):
    """A typing error is answered with what was meant; nothing changes."""
    answer = cli(words[0], measured, *words[1:])
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert cli("changes", measured, "--json").json["corrections"] == []


def test_an_unlikely_correction_is_doubted(cli, measured):
    """A value outside the range counts, and the command says that it may be a typing error too."""
    answer = cli("correct", measured, "lab-m0002", "yield=815", "--reason", "x")
    assert (answer.code, "815 is outside its range" in answer.err) == (0, True)


def test_validate_says_what_a_file_would_change(cli, measured, write):
    """The change and what follows are said before anything is stored; afterwards `changes` has them."""
    changed = write(budget={"experiments": 3})
    answer = cli("validate", changed)
    assert "It would be version 2 of lab, which is in the store at 1:\n  budget.experiments: 6 -> 3." in answer.out
    assert "The campaign ends. The budget is used" in answer.out
    facts = cli("validate", changed, "--json").json
    assert (facts["version"], facts["changes"][0]["before"], facts["changes"][0]["after"]) == (1, 6, 3)
    not_yet = cli("changes", changed)
    assert "The file has changed since: discovery validate" in not_yet.err
    assert "version 2" not in not_yet.out
    cli("status", changed)
    assert "ada: version 2.\n  budget.experiments: 6 -> 3." in cli("changes", changed).out


def test_validate_refuses_what_measurements_do_not_allow(cli, measured, write):
    """A change that cannot work ends with code 1 and what to do instead."""
    other = {"objectives": [{"name": "purity", "goal": "maximize"}], "candidates": None, "experiment": None}
    answer = cli("validate", write(**other, outcomes=[]))
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "'purity', which 3 of 3 measurements of lab lack" in answer.err


@pytest.mark.parametrize(
    ("other", "code", "said"),
    [
        ({}, 0, "2 parameters"),
        ({"share": "private"}, 1, "share: private in other's file"),
        ({"team": "red"}, 1, "teaches campaigns of the team 'red'"),
        (None, 1, "experience.history[0].campaign must be a campaign of"),
    ],
    ids=["shared", "private", "another team", "missing"],
)
def test_validate_looks_campaigns_of_the_history_up(cli, measured, write, folder, other, code, said):
    """A campaign that is not there, or that does not share, is found before anything is trained."""
    if other is not None:
        named = write("other.yaml", **other)
        named.write_text(named.read_text().replace("name: lab", "name: other"))
        assert cli("ingest", named, folder / "results.csv").code == 0
    answer = cli("validate", write(experience={"history": [{"campaign": "other"}]}))
    assert answer.code == code
    assert said in answer.out + answer.err


def test_validate_without_a_store_says_that_it_cannot_look(cli, write):
    """Where there is no store yet, campaigns of the history are named and no store is made."""
    file = write(experience={"history": [{"campaign": "other"}]})
    answer = cli("validate", file)
    assert (answer.code, "no store yet to look for the history in: other" in answer.err) == (0, True)
    assert not list(file.parent.glob("*.duckdb"))


def test_the_report_lists_corrections(cli, measured, folder):
    """What was corrected stands in the report, on the page too; nothing stands there where nothing was."""
    assert "Corrected measurements" not in cli("report", measured).out
    cli("correct", measured, "lab-m0002", "yield=81.5", "--reason", "digits transposed")
    cli("retract", measured, "lab-m0003", "--reason", "wrong vial")
    answer = cli("report", measured, "--html", folder / "page.html")
    assert "Corrected measurements" in answer.out
    assert "digits transposed" in answer.out and "retracted" in answer.out
    assert "wrong vial" in (folder / "page.html").read_text()
    assert [row["reason"] for row in cli("report", measured, "--json").json["corrections"]] == [
        "digits transposed",
        "wrong vial",
    ]
