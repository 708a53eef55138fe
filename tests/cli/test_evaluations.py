"""`backtest` and `evaluate`: the contract's JSON, in a file and on stdout."""

from __future__ import annotations

import json

import pytest

BACKTEST = ("--methods", "no_transfer,random", "--experiments", 5, "--seeds", 2, "--workers", 1)
RUN_KEYS = {"seed", "chosen", "outcomes"}


def test_a_backtest_writes_the_contract(cli, file, folder):
    """The JSON on stdout is that of the file, with runs, summary and times as the contract says."""
    answer = cli("backtest", file, *BACKTEST, "--out", "deep/out.json", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found == json.loads((folder / "deep" / "out.json").read_text())
    assert (found["campaign"], found["n_candidates"], found["n_initial"], found["goal"]) == ("lab", 12, 0, "maximize")
    assert {len(run["chosen"]) for method in found["methods"].values() for run in method["runs"]} == {5}
    assert set(found["methods"]["random"]["runs"][0]) == RUN_KEYS
    assert set(found["methods"]["no_transfer"]["runs"][0]) == {*RUN_KEYS, "weights"}
    assert "experiments_to_5pct_regret" in found["summary"]["random"]


def test_a_backtest_is_readable_and_has_a_page(cli, file, folder):
    """Without `--json` the result is a table; `--html` writes a page."""
    answer = cli("backtest", file, *BACKTEST, "--html", "page.html")
    assert answer.code == 0, answer.err
    assert "Experiments needed, by method" in answer.out
    assert "<html" in (folder / "page.html").read_text()


def test_a_backtest_stores_nothing(cli, file, folder):
    """Replaying a campaign leaves no store behind."""
    cli("backtest", file, "--methods", "random", "--experiments", 3, "--seeds", 1)
    assert not list(folder.glob("*.duckdb"))


def test_a_campaign_without_measurements_cannot_be_replayed(cli, write):
    """A campaign without a measured pool says so in one sentence."""
    answer = cli("backtest", write(candidates=None, experiment=None), "--methods", "random")
    assert answer.code == 1 and answer.err.count("\n") == 1


def test_an_evaluation_scores_every_support(cli, file):
    """`evaluate` scores each method at each support; too few rows to predict are refused."""
    words = ("--methods", "no_transfer", "--support", "2,5", "--seeds", 2, "--workers", 1)
    found = cli("evaluate", file, *words, "--json").json
    assert set(found["summary"]["no_transfer"]) == {"2", "5"}
    assert set(found["summary"]["no_transfer"]["5"]) == {"nlpd", "rmse", "spearman", "coverage90", "delta_auprc"}
    assert "no_transfer" in cli("evaluate", file, *words).out
    assert cli("evaluate", file, "--support", "12").code == 1


def test_the_file_asked_for_must_be_writable(cli, file, folder):
    """`--out` that cannot be written is an error, not a traceback."""
    (folder / "taken").write_text("a file, no folder")
    answer = cli("backtest", file, "--methods", "random", "--seeds", 1, "--experiments", 2, "--out", "taken/out.json")
    assert answer.code == 1 and "--out" in answer.err


@pytest.fixture
def earlier(write, folder):
    """A campaign that is not measured at all, with two earlier ones."""
    import pandas as pd

    table = pd.read_csv(folder / "table.csv")
    table.to_csv(folder / "spring.csv", index=False)
    table.assign(**{"yield": table["yield"] * 0.8}).to_csv(folder / "autumn.csv", index=False)
    history = {"history": ["spring.csv", "autumn.csv"]}
    return write(experience=history, candidates=None, experiment=None)


def test_earlier_campaigns_answer_whether_experience_helps(cli, earlier, folder):
    """`--over-history` needs nothing of the campaign itself: predictions and replays of each earlier one, a verdict."""
    words = ("--over-history", "--methods", "belief,no_transfer", "--support", "2,5", "--seeds", 1, "--workers", 1)
    answer = cli("evaluate", earlier, *words, "--json", "--html", "e.html")
    assert answer.code == 0, answer.err
    assert set(answer.json["tasks"]) == {"spring.csv", "autumn.csv"}
    assert answer.json["verdict"]["verdict"] in ("helps", "hurts", "no clear difference")
    assert "Would it have helped?" in (folder / "e.html").read_text()
    words = ("--over-history", "--methods", "no_transfer,random", "--experiments", 4, "--seeds", 1, "--workers", 1)
    replayed = cli("backtest", earlier, *words, "--html", "b.html", "--out", "b.json")
    assert replayed.code == 0, replayed.err
    assert "each earlier campaign in turn" in " ".join(replayed.out.split())
    assert (folder / "b.html").is_file() and "verdict" not in json.loads((folder / "b.json").read_text())


def test_a_single_earlier_campaign_answers_nothing(cli, file):
    """One sentence says that it takes two."""
    answer = cli("evaluate", file, "--over-history", "--support", "2", "--seeds", 1)
    assert answer.code == 1 and "at least two sources" in answer.err and answer.err.count("\n") == 1


@pytest.fixture
def two(write, folder):
    """A measured campaign of two outcomes, one of which a limit names."""
    import pandas as pd

    frame = pd.read_csv(folder / "table.csv")
    frame.assign(impurity=100 - frame["yield"]).to_csv(folder / "table.csv", index=False)
    return write(outcome_constraints=["impurity <= 40"], outcomes=None)


def test_every_outcome_is_predicted(cli, two, folder):
    """Each outcome that is wanted or limited has scores of its own, in JSON, in the terminal and on the page."""
    words = ("--methods", "no_transfer", "--support", 4, "--seeds", 2, "--workers", 1)
    answer = cli("evaluate", two, *words, "--json", "--html", "e.html")
    assert answer.code == 0, answer.err
    found = answer.json["outcomes"]
    assert {name: one["goal"] for name, one in found.items()} == {"yield": "maximize", "impurity": "hits"}
    assert all(one["summary"]["no_transfer"]["4"]["rmse"] > 0 for one in found.values())
    assert "Error of predictions: impurity" in (folder / "e.html").read_text()
    refused = cli("evaluate", two, "--over-history", *words)
    assert refused.code == 1 and "must have one outcome" in refused.err


def test_a_match_is_evaluated(cli, write):
    """Predictions of a campaign that looks for a value are scored by nearness to it."""
    file = write(objectives=[{"name": "yield", "goal": "match", "target": 50}])
    answer = cli("evaluate", file, "--methods", "no_transfer", "--support", 4, "--seeds", 1, "--workers", 1)
    assert answer.code == 0 and "the nearer half" in " ".join(answer.out.split()), answer.err
