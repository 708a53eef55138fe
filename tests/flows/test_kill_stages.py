"""A run that is killed in every one of its stages, one after the other, goes on each time and comes to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from discovery.session import Campaign

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name != "posix", reason="signals"),
]
STAGES = ("meta-train", "adapt", "propose", "review", "experiment", "ingest", "refine")
BUDGET = 10
RUN = """
import sys
from discovery.cli.main import main
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
sys.argv = ["discovery", "run", sys.argv[1]]
with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
    main()
"""


@pytest.fixture
def file(write: Callable[..., Path]) -> Path:
    """A campaign with two earlier tasks, so that it trains, and joins the history when it has ended."""
    made = write(
        name="staged",
        store="staged.duckdb",
        parameters=[
            {"name": "ligand", "type": "categorical", "values": list("ABCD")},
            {"name": "temperature", "type": "discrete", "values": [40, 50, 60, 70, 80, 90]},
        ],
        candidates="grid.csv",
        experiment={"type": "table", "path": "grid.csv"},
        budget={"experiments": BUDGET},
        experience={"history": ["first.csv", "second.csv"]},
    )
    for i, name in enumerate(("grid.csv", "first.csv", "second.csv")):
        rows = [
            f"{ligand},{40 + 10 * k},{90 - 8 * (k - 3 - 0.2 * i) ** 2 - 5 * j:.2f}"
            for j, ligand in enumerate("ABCD")
            for k in range(6)
        ]
        (made.parent / name).write_text("\n".join(["ligand,temperature,yield", *rows, ""]))
    return made


def test_a_run_that_is_killed_in_every_stage_ends(prefect: str, file: Path):
    """Killed while each stage is shown as running: what was measured stays, nothing is carried out or learned twice."""
    before = 0
    struck = []
    for stage in STAGES:
        struck.append(kill_in(stage, prefect, file))
        campaign = Campaign.open(file)
        assert len(campaign.measurements()) >= before
        before = len(campaign.measurements())
    assert sum(struck) >= len(STAGES) - 2, struck  # a stage that takes a moment may be over before it is seen
    assert start(prefect, file).wait(timeout=300) == 0
    check_end(Campaign.open(file))


def check_end(campaign: Campaign) -> None:
    """Check that the campaign has ended with all it could get, each thing once."""
    trials, measured, store = campaign.store.trials(campaign.name), campaign.measurements(), campaign.store
    assert len(measured) == BUDGET and measured["key"].is_unique and measured["trial_id"].is_unique
    assert set(trials["status"]) == {"COMPLETED"} and set(trials["attempt"]) == {1}
    assert set(trials["trial_id"]) == set(measured["trial_id"])
    assert store.campaign(campaign.name).status == "FINISHED"
    refined = [text for text in store.models()["task_sources"] if f"campaign:{campaign.name}" in text]
    assert len(refined) == 1
    assert store.orphans().empty and store.leases().empty


def kill_in(stage: str, url: str, file: Path) -> bool:
    """Run the campaign until a stage runs, and kill it there; say whether it was still at work."""
    known = runs_of(stage, url)
    process = start(url, file)
    while process.poll() is None and runs_of(stage, url) == known:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def runs_of(stage: str, url: str) -> set[str]:
    """Return the ids of the runs of a stage that have begun."""
    wanted = {
        "flows": {"name": {"any_": [stage]}},
        "flow_runs": {"state": {"type": {"any_": ["RUNNING", "COMPLETED"]}}},
        "limit": 200,
    }
    return {run["id"] for run in httpx.post(f"{url}/flow_runs/filter", json=wanted, timeout=60).json()}


def start(url: str, file: Path) -> subprocess.Popen[bytes]:
    """Start `discovery run` on the session's server and without heartbeats, so that a run costs seconds."""
    environment = {**os.environ, "PREFECT_API_URL": url}
    quiet = {"stdout": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", RUN, str(file)], env=environment, **quiet)
