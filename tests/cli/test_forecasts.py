"""`forecast`: a sentence, a table, JSON, a file and a page; and `propose` that advises to stop."""

from __future__ import annotations

import json

import pytest

from discovery.session import Campaign

RANGE = {"parameters": [{"name": "temperature", "type": "continuous", "bounds": [40, 100]}], "candidates": None}


def test_a_forecast_is_a_sentence_and_a_table(cli, write):
    """Before anything is measured the command says how many experiments the target is likely to take."""
    answer = cli("forecast", write(stop={"target": 60}), "--draws", 16)
    assert answer.code == 0, answer.err
    assert answer.out.startswith("Reaching yield 60 % is") and "60 % reached" in answer.out
    assert "16 worlds of 12 candidates" in answer.out.replace("\n", " ")


def test_a_forecast_is_written_where_asked_for(cli, file, folder):
    """The JSON on stdout is that of the file; `--target` stands in for the campaign file's; a page has its plots."""
    words = ("--draws", 8, "--experiments", 3, "--target", 70, "--out", "f.json", "--report", "f.html", "--json")
    answer = cli("forecast", file, *words)
    assert answer.code == 0, answer.err
    found = answer.json
    assert found == json.loads((folder / "f.json").read_text())
    assert (found["campaign"], found["target"], found["n_experiments"], found["n_draws"]) == ("lab", 70.0, 3, 8)
    assert len(found["probability"]) == 3 and len(found["best_after"]["0.5"]) == 3
    assert {"needed_10", "needed_50", "needed_90", "sentence"} <= set(found)
    assert "When the target may be reached" in (folder / "f.html").read_text()


def test_a_forecast_beyond_the_budget_says_so(cli, write):
    """Who asks for more experiments than the budget leaves is told how many it leaves."""
    answer = cli("forecast", write(budget={"experiments": 2}), "--draws", 8, "--experiments", 3)
    assert answer.code == 0 and "The budget leaves 2 experiments; 3 are simulated." in answer.err


def test_a_forecast_is_in_the_report(cli, file):
    """What was forecast is kept and reported, also as JSON."""
    cli("forecast", file, "--draws", 8)
    assert "Forecasts over time" in cli("report", file).out
    (kept,) = cli("report", file, "--json").json["forecasts"]
    assert kept["n_draws"] == 8


def test_a_forecast_without_a_scale_says_what_is_missing(cli, write):
    """One sentence, with what to write or measure."""
    answer = cli("forecast", write(outcomes=None), "--draws", 8)
    assert answer.code == 1 and answer.err.count("\n") == 1 and "outcomes[].range" in answer.err


@pytest.fixture
def greedy(write, folder):
    """A campaign that asks for more gain than there is, with six results."""
    import pandas as pd

    file = write(stop={"min_gain": 80})
    Campaign.open(file, device="cpu").tell(pd.read_csv(folder / "table.csv").head(6).iloc[:5])
    return file


def test_propose_advises_to_stop_and_is_overruled(cli, greedy):
    """Advice is no error: it is said, proposes nothing, and `--continue` proposes all the same."""
    answer = cli("propose", greedy)
    assert answer.code == 0, answer.err
    assert answer.out.startswith("Stopped after 5 of 6: ") and "--continue" in answer.out
    assert cli("propose", greedy, "--json").json == []
    status = cli("status", greedy)
    assert "FINISHED" in status.out and "asked for (stop.min_gain)" in status.out and "--continue" in status.out
    assert "Stopped after 5 of 6" in cli("report", greedy).out
    assert "PROPOSED" in cli("propose", greedy, "--continue").out
    assert "were expected to gain" in cli("status", greedy).out


def test_status_says_of_which_measurements_its_weights_are(cli, file, folder):
    """Results that came in after the last proposals are not in the weights yet, and `status` says so."""
    proposal = cli("propose", file, "--n", 1, "--json").json[0]
    row = {name: proposal[name] for name in ("catalyst", "temperature")}
    (folder / "r.csv").write_text(f"catalyst,temperature,yield\n{row['catalyst']},{row['temperature']},50\n")
    cli("ingest", file, "r.csv")
    assert "(after 0 of 1 measurements; the next `propose` takes in the others)" in cli("status", file).out
