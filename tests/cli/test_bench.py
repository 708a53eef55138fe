"""`bench`: tables, JSON, a file that grows, and sentences for what is wrong."""

import json

import pandas as pd
import pytest

from discovery.evaluation.bench import benches

RANDOM = ("--methods", "random", "--families", "suzuki_reizman", "--tasks", 1, "--seeds", 1, "--workers", 1)
CAMPAIGNS = ("campaigns", *RANDOM, "--experiments", 7)


@pytest.fixture(autouse=True)
def _only_the_checkout(monkeypatch):
    monkeypatch.delenv("DISCOVERY_DATASETS", raising=False)


def test_a_bench_grows_its_file(cli, folder):
    """The same command again makes nothing; one more seed makes one more run; all are rows of the file."""
    out = folder / "runs.parquet"
    assert "1 new runs" in cli("bench", *CAMPAIGNS, "--out", out).err
    assert "0 new runs" in cli("bench", *CAMPAIGNS, "--out", out).err
    more = cli("bench", *CAMPAIGNS, "--out", out, "--seeds", 2, "--json")
    assert more.code == 0, more.err
    assert (more.json["bench"], more.json["n_runs"]) == ("campaigns", 2)
    rows = pd.read_parquet(out)
    assert rows["seed"].tolist() == [0, 1] and rows["outcomes"].map(len).tolist() == [7, 7]


def test_an_interrupted_bench_says_how_to_go_on(cli, folder, monkeypatch):
    """Ctrl-C ends a bench with where its runs are and how it goes on, and with the code of an interrupt."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(benches, "run_bench", interrupt)
    answer = cli("bench", *CAMPAIGNS, "--out", folder / "runs.parquet")
    assert answer.code == 130
    assert "runs.parquet" in answer.err and "the same command" in answer.err and "Traceback" not in answer.err


def test_starts_and_histories_may_be_chosen(cli, folder):
    """`--initial` holds for all methods, and `--leave-out` is written into the rows."""
    out = folder / "runs.parquet"
    answer = cli("bench", *CAMPAIGNS, "--out", out, "--initial", "0,3", "--leave-out", "task", "--report", "page.html")
    assert answer.code == 0, answer.err
    rows = pd.read_parquet(out)
    assert sorted(rows["n_initial"]) == [0, 3] and set(rows["leave_out"]) == {"task"}
    assert "<html" in (folder / "page.html").read_text()
    assert "Experiments needed, means over tasks" in answer.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("campaigns", "--families", "nobody"), 1, "at hand"),
        (("campaigns", "--methods", "nobody"), 2, "nobody"),
        (("harm", "--methods", "random", "--split", "development"), 1, "at least one task"),
        (("few-shot", *RANDOM), 2, "random"),
        (("campaigns", *RANDOM, "--reference", "belief"), 1, "reference"),
        (("guess",), 2, "guess"),
        (("meta",), 2, "throughput: tasks per second"),
        (("meta", "--check", "guess"), 2, "guess"),
        (("meta", "--check", "throughput", "--methods", "nobody"), 1, "nobody"),
        (("campaigns", "--check", "throughput"), 2, "bench meta"),
    ],
    ids=lambda value: str(value[:3]) if isinstance(value, tuple) else None,
)
def test_faults_are_one_sentence(cli, words, code, said):
    """What cannot be run is said in one sentence, before anything starts."""
    answer = cli("bench", *words)
    assert answer.code == code and said in answer.err
    assert "Traceback" not in answer.err


def test_a_check_of_families_is_a_table_and_a_file(cli, folder):
    """`bench meta` prints its table and writes the same as JSON, with the keys that the check promises."""
    out = folder / "found" / "throughput.json"
    answer = cli("bench", "meta", "--check", "throughput", "--quick", "--out", out)
    assert answer.code == 0 and "task loop" in answer.out and str(out) in answer.err
    assert set(json.loads(out.read_text())["ratio_to_task_loop"]) == {"maml", "fomaml", "anil"}
    told = cli("bench", "meta", "--check", "throughput", "--quick", "--json").json
    assert told["check"] == "throughput" and {row["method"] for row in told["rows"]} >= {"task loop", "maml"}
