"""Running a bench: what is done is not done again, what fails is named, and a stop loses nothing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import discovery.evaluation
from discovery.errors import ConfigurationError, DiscoveryError
from discovery.evaluation.bench import runner
from discovery.evaluation.bench.benches import run_bench
from discovery.evaluation.bench.campaigns import execute_campaigns, plan_campaigns, plan_harm
from discovery.evaluation.bench.rows import ResultsFile
from discovery.evaluation.bench.runner import RunOptions, can_run, missing_experience, run_units, settings_hash
from discovery.evaluation.bench.suites import SuiteOptions, open_suite

HERE = RunOptions(n_workers=1)
ROOM = Path(discovery.evaluation.__file__).parent


@pytest.fixture
def suite(datasets):
    return open_suite(SuiteOptions(families=("mpea_mechanical",), n_tasks=2, n_seeds=2, n_experiments=9))


@pytest.fixture
def results(tmp_path):
    return ResultsFile(tmp_path / "bench.parquet")


def test_a_second_run_does_nothing(suite, results):
    """All rows are made once; the same plan again makes none, and finds the same."""
    units = plan_campaigns(suite, ["random", "cold_gp"])
    first = run_units(units, execute_campaigns, results, HERE)
    second = run_units(units, execute_campaigns, results, HERE)
    assert (first.n_made, first.n_planned, second.n_made) == (8, 8, 0)
    assert first.rows.equals(second.rows)
    assert {len(set(chosen)) for chosen in first.rows["chosen"]} == {9}


def test_random_starts_are_the_same_for_all(suite, results):
    """At the same seed the first five experiments of every method are the same."""
    rows = run_units(plan_campaigns(suite, ["random", "cold_gp"]), execute_campaigns, results, HERE).rows
    starts = rows.assign(start=[tuple(chosen[:5]) for chosen in rows["chosen"]])
    assert (starts.groupby(["task", "seed"])["start"].nunique() == 1).all()
    assert starts.groupby("task")["start"].nunique().tolist() == [2, 2]


def test_more_seeds_only_add(suite, results):
    """Asking for another seed runs that seed, and no other again."""
    run_units(plan_campaigns(suite, ["random"]), execute_campaigns, results, HERE)
    more = run_units(plan_campaigns(replace(suite, n_seeds=3), ["random"]), execute_campaigns, results, HERE)
    assert (more.n_planned, more.n_made) == (6, 2)


def test_a_stop_loses_only_what_was_not_finished(suite, results):
    """A run that ends in the middle of a unit keeps the rows before; the next run makes the others."""
    units = plan_campaigns(suite, ["random"])
    merged = [replace(units[0], pieces=tuple(piece for unit in units[:2] for piece in unit.pieces))]

    def execute(unit, device):
        for i, row in enumerate(execute_campaigns(unit, device)):
            if i:
                raise KeyboardInterrupt
            yield row

    with pytest.raises(KeyboardInterrupt):
        run_units(merged, execute, results, HERE)
    assert len(results.read()) == 1
    assert run_units(merged, execute_campaigns, results, HERE).n_made == 1


def test_rows_that_a_worker_kept_to_itself_are_said(suite, results):
    """A worker that writes to a disk of its own has made nothing: the folder to share is named."""

    def away(function, works, n_workers):
        return ((i, ("", "")) for i in range(len(works)))

    with pytest.raises(DiscoveryError, match=r"4 rows of finished units are not there.*every worker"):
        run_units(plan_campaigns(suite, ["random"]), execute_campaigns, results, replace(HERE, engine=away))


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (ConfigurationError("no history"), "skipped"),
        (DiscoveryError("broken"), "failed"),
        (ValueError("nan"), "failed"),
    ],
)
def test_a_method_that_fails_is_named_and_the_others_go_on(suite, results, error, where):
    """A unit that cannot be run is skipped, one that breaks has failed; both say why, and the rest is made."""
    units = plan_campaigns(suite, ["random"])

    def execute(unit, device):
        if unit.task.name == "one":
            raise error
        yield from execute_campaigns(unit, device)

    run = run_units(units, execute, results, HERE)
    assert len(run.rows) == 2
    reasons = getattr(run, where)
    assert list(reasons) == ["random on mpea_mechanical/one"]
    assert str(error) in reasons["random on mpea_mechanical/one"]


def test_changed_code_makes_rows_stale(suite, results):
    """A row of other data or code is made again, unless old rows are to be kept."""
    units = plan_campaigns(suite, ["random"])
    run_units(units, execute_campaigns, results, HERE)
    changed = [replace(u, pieces=tuple(replace(p, settings_hash="new") for p in u.pieces)) for u in units]
    assert run_units(changed, execute_campaigns, results, replace(HERE, keep=True)).n_made == 0
    run = run_units(changed, execute_campaigns, results, HERE)
    assert run.n_made == 4
    assert set(run.rows["settings_hash"]) == {"new"}


def test_rows_hold_what_a_replay_did(suite, results):
    """Regret, counts and the enrichment of a row follow from its outcomes."""
    row = run_units(plan_campaigns(suite, ["random"]), execute_campaigns, results, HERE).rows.iloc[0]
    regret = np.asarray(row["regret"])
    assert (np.diff(regret) <= 0).all() and regret[0] <= 1
    reached = np.flatnonzero(regret <= 0.1)
    assert row["experiments_to_10pct_regret"] == (reached[0] + 1 if len(reached) else 10)
    assert row["n_top5"] >= 2 and row["top5_found"][-1] <= row["n_top5"]
    assert "discovery" in row["versions"]


def test_plans_follow_what_a_method_can_do(suite):
    """Baselines are run from random starts only; a hypothesis without its experience is left out."""
    starts = {
        method: sorted({p.identity["n_initial"] for unit in plan_campaigns(suite, [method]) for p in unit.pieces})
        for method in ("random", "no_transfer", "history", "simulator:reaction_kinetics")
    }
    assert starts == {"random": [5], "no_transfer": [0, 5], "history": [0, 5], "simulator:reaction_kinetics": []}
    seeds = [p.identity["seed"] for p in plan_campaigns(suite, ["no_transfer"])[0].pieces]
    assert seeds == [0, 0, 1]  # without random starts one run stands for every seed


@pytest.mark.parametrize("method", ["history", "deep_kernel", "rgpe", "baybe_transfer"])
def test_methods_that_live_on_history_are_left_out_without_it(suite, method):
    """They are planned where there are earlier tasks, and nowhere else, with a reason that names them."""
    task = suite.tasks[0]
    alone = replace(task, history=())
    without = replace(suite, families=(replace(suite.families[0], tasks=(alone,)),))

    assert can_run(task, method) and not can_run(alone, method) and can_run(alone, "cold_gp")
    assert plan_campaigns(without, [method, "random"]) == plan_campaigns(without, ["random"])
    assert missing_experience(alone, method) == f"{method} lives on earlier tasks, and there are none."
    assert missing_experience(task, method) == ""


def test_a_simulator_that_is_not_named_is_a_reason(suite):
    """The hypothesis of a simulator lives on the campaign naming it."""
    assert "does not name" in missing_experience(suite.tasks[0], "simulator:reaction_kinetics")


def test_a_bench_says_why_methods_are_left_out(datasets, tmp_path):
    """A family whose tasks have no relatives: the method is named with the reason, and the others are run."""
    for path in (datasets / "mpea_mechanical").glob("*.csv"):
        if path.stem != "other":
            path.unlink()
    about = datasets / "mpea_mechanical" / "dataset.json"
    text = json.loads(about.read_text())
    about.write_text(json.dumps({**text, "tasks": [t for t in text["tasks"] if t["task"] == "other"]}))
    options = SuiteOptions(families=("mpea_mechanical",), n_seeds=1, n_experiments=6)
    found = run_bench("campaigns", ["random", "rgpe"], options, tmp_path / "b.parquet", run_options=HERE)
    assert found.run.skipped == {"rgpe on mpea_mechanical/other": "rgpe lives on earlier tasks, and there are none."}
    assert set(found.run.rows["method"]) == {"random"} and found.to_json()["skipped"] == found.run.skipped


def test_what_a_misleading_history_costs_is_compared_with_none(suite):
    """Other people's transfer runs without history too, as the baseline that it then is; `history` cannot."""
    sources = {
        method: {unit.pieces[0].identity["source"] for unit in plan_harm(suite, [method])}
        for method in ("rgpe", "history", "belief")
    }
    assert "none" in sources["rgpe"] and "none" in sources["belief"] and "none" not in sources["history"]
    assert {"related", "shuffled"} <= sources["rgpe"] & sources["history"]


@pytest.mark.parametrize(
    ("method", "changed", "is_stale"),
    [
        ("cold_gp", "baselines/exact_gp.py", True),
        ("rgpe", "cold_gp.py", True),
        ("knn", "baselines/rgpe.py", False),
        ("random", "cold_gp.py", False),
    ],
)
def test_a_changed_module_of_a_method_makes_its_rows_stale(suite, method, changed, is_stale, monkeypatch):
    """The identity of a run hangs on the modules that its method computes with, and on no other baseline's."""
    file, read = ROOM / changed, Path.read_bytes
    before = settings_hash(suite.tasks[0], method)
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b"# new" if path == file else b""))
    runner._code_hash.cache_clear()
    try:
        assert (settings_hash(suite.tasks[0], method) != before) == is_stale
    finally:
        runner._code_hash.cache_clear()
