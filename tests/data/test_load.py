"""The load test and the overheads: their campaigns are campaigns, their sums are right, and a small one runs."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from data import load, load_server, overheads
from data.load import BATCH, Load, main, read_waits, run_load, summarize, write_campaigns
from data.processes import children, usage
from discovery.campaign import load_spec


@pytest.mark.parametrize("stores", ["one", "each"])
def test_campaigns_are_valid_and_have_the_databases_asked_for(stores, tmp_path):
    """Each file is a campaign of its own task; their databases are one, or one for each."""
    from discovery.store import Store

    specs = [load_spec(file) for file in write_campaigns(Load(3, stores, rounds=2), tmp_path)]
    assert len({spec.name for spec in specs}) == len({spec.experiment.seed for spec in specs}) == 3
    assert {spec.budget.experiments for spec in specs} == {2 * BATCH}
    assert len({Store.of(spec).path for spec in specs}) == (1 if stores == "one" else 3)


def test_sums_are_per_cycle_and_of_runs_that_were_asked_for(tmp_path):
    """Latency is from due to done of what was asked for; what else ran counts as runs, failures as errors."""
    due = pd.Timestamp("2026-01-01 12:00", tz="UTC")
    seconds = pd.DataFrame({"started": [10, 20, 5], "done": [20, 60, 8]}).map(lambda s: due + pd.Timedelta(s, "s"))
    runs = seconds.assign(
        due=due, is_asked=[True, True, False], state=["Completed", "Completed", "Failed"], message=["", "", "it broke"]
    )
    (tmp_path / "waits.log").write_text("waited 0.5000 s, held 0.2500 s: a\nwaited 0.0 s, held 0.7500 s: a\n")
    found = summarize(Load(2), runs, read_waits(tmp_path), 4, (None, None, 8.0))
    assert (found.n_runs, found.minutes, found.cycles_per_minute) == (3, 1.0, 4.0)
    assert (found.done_median_s, found.run_median_s) == (40.0, 25.0)
    assert (found.opened_per_cycle, found.held_per_cycle_s, found.waited_per_cycle_s) == (0.5, 0.25, 0.125)
    assert (found.waited_max_s, found.runs_cpu_s, found.errors) == (0.5, 2.0, ("Failed: it broke",))
    assert np.isnan(found.server_cpu_s)
    load.show([found])


def test_a_load_that_makes_no_sense_is_refused(capsys, tmp_path):
    """One sentence, before anything is started."""
    assert main(["--campaigns", "0", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("Error: --stores must be one or each")


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc")
def test_a_process_says_what_it_has_used():
    """Processor time and memory of this process are there, and it is a child of its parent."""
    used = usage(os.getpid())
    assert used.cpu_s > 0 and used.peak_mb > 10
    assert os.getpid() in {child.pid for child in children(os.getppid())}


@pytest.mark.slow
def test_a_small_load_runs_without_an_error(tmp_path):
    """Three campaigns on one database, two at once, due twice: every cycle is made, and nothing fails."""
    found = run_load(Load(3, "one", rounds=2, limit=2), tmp_path / "load")
    assert (found.n_cycles, found.errors) == (6, ())
    assert found.server_cpu_s > 0 and found.runs_cpu_s > 0 and found.opened_per_cycle > 10
    assert load_server.READY in (tmp_path / "load" / "deploy.log").read_text()


@pytest.mark.slow
def test_overheads_compare_the_same_campaign(tmp_path):
    """Flow runs and library calls make the same measurements, and the former cost more."""
    found = overheads.measure(tmp_path / "overheads", n_cycles=2, n_repeats=1)
    assert found["flow runs / library calls"] > 1
    assert all(value > 0 for value in found.values())
