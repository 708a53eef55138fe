"""A run that is killed at any moment and started again loses nothing that was ingested and repeats nothing recorded."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from discovery.store import Store

RUN = """
import sys
from discovery.cli.main import main
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
sys.argv = ["discovery", "run", sys.argv[1]]
with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
    main()
"""
pytestmark = [pytest.mark.flow, pytest.mark.skipif(os.name != "posix", reason="signals")]


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(prefect: str, write: Callable[..., Path]):
    """Killed once in the middle, then started again: all that was recorded stays, and the budget is met exactly."""
    check_kills(prefect, write, KillPlan(n_kills=1, budget=4))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_killed_many_times_goes_on(prefect: str, write: Callable[..., Path], seed: int):
    """Killed five times at random moments, also while it starts: the same holds, and the choices are the same."""
    killed = check_kills(prefect, write, KillPlan(n_kills=5, budget=6, seed=seed))
    undisturbed = check_kills(prefect, write, KillPlan(n_kills=0, budget=6, store="undisturbed.duckdb"))
    assert killed["key"].tolist() == undisturbed["key"].tolist()


@dataclass(frozen=True)
class KillPlan:
    """How often a run is killed on its way to how many experiments, and where they are stored."""

    n_kills: int
    budget: int
    seed: int = 0
    store: str = "killed.duckdb"


def check_kills(url: str, write: Callable[..., Path], plan: KillPlan) -> pd.DataFrame:
    """Kill a run at random moments, let the last one finish, and check what is in the store.

    Returns:
        The measurements at the end.
    """
    moments = random.Random(plan.seed)
    file = write(budget={"experiments": plan.budget}, acquisition={"batch_size": 1}, store=plan.store)
    store = Store(file.parent / plan.store, wait_s=20.0)
    before = pd.DataFrame(columns=["measurement_id", "position", "key", "yield"])
    for _ in range(plan.n_kills):
        process = start(url, file)
        wait_for_measurements(store, process, len(before) + moments.randint(0, 2))
        time.sleep(moments.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = check_kept(store, before)
    assert start(url, file).wait(timeout=120) == 0
    measured, trials = store.measurements("Lab_1"), store.trials("Lab_1")
    check_kept(store, before)
    assert len(measured) == plan.budget
    assert measured["key"].is_unique
    assert measured["trial_id"].is_unique and set(measured["trial_id"]) == set(trials["trial_id"])
    assert set(trials["status"]) == {"COMPLETED"} and set(trials["attempt"]) == {1}
    return measured


def check_kept(store: Store, before: pd.DataFrame) -> pd.DataFrame:
    """Check that everything that was measured before is there as it was; return what is measured now."""
    now = store.measurements("Lab_1")[before.columns]
    pd.testing.assert_frame_equal(now.head(len(before)), before, check_dtype=False)
    return now


def start(url: str, file: Path) -> subprocess.Popen[bytes]:
    """Start `discovery run` on the session's server and without heartbeats, so that a run costs seconds."""
    environment = {**os.environ, "PREFECT_API_URL": url}
    return subprocess.Popen([sys.executable, "-c", RUN, str(file)], env=environment, stdout=subprocess.DEVNULL)


def wait_for_measurements(store: Store, process: subprocess.Popen[bytes], n: int) -> None:
    """Wait until a number of measurements are in the store, or the process has ended."""
    while process.poll() is None:
        if store.path.is_file() and len(store.campaigns()) and len(store.measurements("Lab_1")) >= n:
            return
        time.sleep(0.2)
