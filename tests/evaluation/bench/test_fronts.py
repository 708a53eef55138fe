"""Benches on fronts of compromises: which families, what is refused, what is counted, what the tables say."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from discovery.errors import ConfigurationError
from discovery.evaluation.aimed_backtest import open_aimed
from discovery.evaluation.backtest import BacktestOptions
from discovery.evaluation.bench.benches import FRONTS, bench_of, run_bench
from discovery.evaluation.bench.families import family_names, load_families
from discovery.evaluation.bench.front_statistics import front_gains, front_tasks, fronts, interval
from discovery.evaluation.bench.runner import RunOptions, settings_hash
from discovery.evaluation.bench.suites import SuiteOptions, open_suite
from discovery.report.bench import bench_headline, bench_html, print_bench
from discovery.report.bench_fronts import front_grids, share_figure
from discovery.standing import hypervolume, reference_point, scores

FAMILY = "suzuki_two_objectives"
OPTIONS = SuiteOptions(families=(FAMILY,), n_tasks=1, n_seeds=2, n_experiments=7, starts=(5,))


@pytest.fixture(autouse=True)
def _only_the_checkout(monkeypatch, tmp_path):
    monkeypatch.delenv("DISCOVERY_DATASETS", raising=False)
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "cache"))


def run(tmp_path, methods, options=OPTIONS):
    return run_bench("campaigns", methods, options, tmp_path / "runs.parquet", run_options=RunOptions(1))


def test_each_case_learns_from_the_three_others():
    """The family has four cases with both outcomes, and no case is in its own history."""
    (family,) = load_families([FAMILY])
    cases = {task.name for task in family.tasks}
    assert cases == {f"case_{k}" for k in (1, 2, 3, 4)}
    for task in family.tasks:
        assert set(task.history) == cases - {task.name}
        assert [(o.name, o.goal) for o in task.spec.objectives] == [("yield", "maximize"), ("turnover", "maximize")]


def test_families_of_several_objectives_are_asked_for_by_name():
    """Benches of one objective never run them, and name them where a family is unknown."""
    assert FAMILY not in family_names() and FAMILY in family_names("reported", fronts=True)
    with pytest.raises(ConfigurationError, match=FAMILY):
        load_families(["nobody"])


@pytest.mark.parametrize(
    ("name", "families", "said"),
    [
        ("campaigns", (FAMILY, "suzuki_reizman"), "must all have one objective"),
        ("harm", (FAMILY,), "bench harm must have families of one objective"),
        ("few-shot", (FAMILY,), "bench few-shot must have families of one objective"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, name, families, said):
    """Numbers of one objective and of several never share a table; predictions know one outcome."""
    with pytest.raises(ConfigurationError, match=said):
        run_bench(name, None, SuiteOptions(families=families), tmp_path / "runs.parquet")


@pytest.mark.slow
def test_a_run_is_measured_by_the_share_of_what_there_is(tmp_path):
    """The share at the end is the hypervolume of the rows chosen over that of all; a second run makes nothing."""
    first = run(tmp_path, ["random", "cold_nehvi"])
    again = run(tmp_path, ["random", "cold_nehvi"])
    assert (first.run.n_made, again.run.n_made, dict(first.run.failed)) == (4, 0, {})
    task = open_suite(OPTIONS).tasks[0]
    context, outcomes = open_aimed(task.spec, BacktestOptions())
    everything = scores(task.spec, outcomes)
    reference = reference_point(task.spec, everything)
    for row in first.run.rows.to_dict("records"):
        at = [int(np.flatnonzero(context.pool.rows == chosen)[0]) for chosen in row["chosen"]]
        share = hypervolume(everything[at], reference) / hypervolume(everything, reference)
        assert row["hypervolume"] == pytest.approx(share)
        assert row["hypervolume_auc"] == pytest.approx(np.mean(row["share"])) and len(row["share"]) == 7
        assert json.loads(row["outcomes_json"])["yield"] == pytest.approx(outcomes["yield"][at])
    starts = first.run.rows.assign(start=[tuple(chosen[:5]) for chosen in first.run.rows["chosen"]])
    assert (starts.groupby("seed")["start"].nunique() == 1).all()


def test_one_file_holds_runs_of_both_kinds(tmp_path):
    """Runs of one outcome and of several share a file, as they do by default, and each bench finds its own."""
    single = replace(OPTIONS, families=("suzuki_reizman",))
    assert [run(tmp_path, ["random"], options).run.n_made for options in (OPTIONS, single, OPTIONS, single)] == [
        2,
        2,
        0,
        0,
    ]
    assert len(pd.read_parquet(tmp_path / "runs.parquet")) == 4


def test_tables_and_page_say_every_method(tmp_path):
    """The terminal, the page and the JSON name the measure, every method, and what they are compared with."""
    result = run(tmp_path, ["random", "cold_nehvi"])
    to = Console(file=io.StringIO(), width=160, no_color=True)
    print_bench(result, to)
    text = to.file.getvalue()
    assert text.isascii() and "More of the hypervolume than cold_nehvi" in text and "| random" in text
    assert "Share of the hypervolume so far" in bench_headline(result)
    assert bench_html(result, tmp_path / "page.html").stat().st_size > 1000
    assert {trace.name for trace in share_figure(result).data} == {"random (same start)", "cold_nehvi (same start)"}
    data = json.loads(json.dumps(result.to_json()))
    assert (data["bench"], data["measure"], data["reference"]) == ("campaigns", "hypervolume", "cold_nehvi")
    assert {row["method"] for row in data["summary"]["fronts"]} == {"random", "cold_nehvi"}


def test_the_code_of_a_front_decides_what_is_run_again():
    """A method for a front hangs on its own module, not on that of the method of the same name for one outcome."""
    (family,), (single,) = load_families([FAMILY]), load_families(["suzuki_reizman"])
    both = {settings_hash(task, "baybe") for task in (family.tasks[0], single.tasks[0])}
    assert len(both) == 2 and bench_of("campaigns", open_suite(OPTIONS)) is FRONTS


def rows(gain=0.1, n_seeds=6):
    """Return runs of two methods on three tasks, one of them ahead by a known share on each."""
    rng = np.random.default_rng(0)
    made = []
    for task in "abc":
        for seed in range(n_seeds):
            level = rng.uniform(0.3, 0.7)
            for method, share in (("cold_nehvi", level), ("belief", level + gain)):
                made.append(
                    {"family": "f", "task": task, "method": method, "source": "related", "seed": seed}
                    | {"n_initial": 5, "hypervolume_auc": share, "hypervolume": share, "share": [share]}
                    | {"experiments_to_50pct": 3, "experiments_to_80pct": 9, "versions": "x"}
                )
    return pd.DataFrame(made)


def test_gains_are_paired_by_seed():
    """A constant gain has an interval of no width, however much seeds differ; a method behind is ahead nowhere."""
    gains = front_gains(rows(), "cold_nehvi")
    assert gains["gain"].tolist() == pytest.approx([0.1, 0.1])
    assert gains["low"].tolist() == pytest.approx([0.1, 0.1]) and gains["n_ahead"].tolist() == [3, 3]
    assert front_gains(rows(-0.1), "cold_nehvi")["n_ahead"].tolist() == [0, 0]
    assert front_gains(rows(), "baybe").empty


def test_a_method_without_a_start_is_compared_with_the_mean_of_the_reference():
    """One run from nothing stands against all seeds of the reference on its task."""
    table = rows()
    alone = (table["method"] == "belief") & (table["seed"] == 0)
    table = table[(table["method"] == "cold_nehvi") | alone].copy()
    table.loc[table["method"] == "belief", "n_initial"] = 0
    of = {key: part["hypervolume"].mean() for key, part in table.groupby("method")}
    (gain, _) = front_gains(table, "cold_nehvi")["gain"]
    assert gain == pytest.approx(of["belief"] - of["cold_nehvi"])


def test_shares_are_means_over_seeds_then_tasks():
    """A task with more runs counts no more than another."""
    table = rows(n_seeds=2)
    more = table[table["task"] == "a"].assign(seed=9, hypervolume=0.0)
    table = pd.concat([table, more], ignore_index=True)
    tasks = front_tasks(table).query("method == 'belief'")["hypervolume"]
    found = fronts(table).set_index("method").loc["belief"]
    assert found["hypervolume"] == pytest.approx(tasks.mean())
    assert found["hypervolume_low"] <= found["hypervolume"] <= found["hypervolume_high"]
    assert (found["n_tasks"], found["n_runs"]) == (3, 8)


def test_intervals_have_the_width_of_their_draws():
    """On one task the interval is that of a mean of its seeds; the same values give the same interval."""
    values = np.random.default_rng(1).normal(size=400)
    mean, low, high = interval([values])
    assert mean == pytest.approx(values.mean()) and interval([values]) == (mean, low, high)
    assert (high - low) / (2 * 1.645 * values.std() / 20) == pytest.approx(1.0, abs=0.1)
    assert interval([np.zeros(2), np.ones(5)])[1:] == (0.0, 1.0)


def test_a_table_without_a_reference_is_left_out(tmp_path):
    """Where the reference was not run, nothing is compared, and what methods came to stays."""
    result = run(tmp_path, ["random"])
    assert [grid.title.partition(":")[0] for grid in front_grids(result)] == [
        "Share of the hypervolume",
        "Task by task",
    ]
    assert bench_html(result, tmp_path / "page.html").exists()
