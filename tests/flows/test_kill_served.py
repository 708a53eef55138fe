"""A deployed campaign comes to its end, whatever is killed: its process, runner or server, or a writer of the store."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from discovery.session import Campaign
from discovery.session.leases import lease_name
from discovery.store.leases import is_gone
from flows import runs, stuck
from flows.runtime import named_server
from flows.serving import FullServer
from flows.sweep import sweep_once

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name != "posix", reason="signals"),
]
BUDGET, PATIENCE_S = 9, 180.0
WRITER = """
import sys, time
from discovery.store import Store
store = Store(sys.argv[1], wait_s=60)
with store.transaction():
    store.add_metric("served", 1, "half-written", 1.0)
    print("in the middle", flush=True)
    time.sleep(600)
"""


@dataclass
class Lab:
    """A server, a runner and a campaign that they run.

    Attributes:
        home: Folder of the server's database.
        file: The campaign file.
        server: The server's process.
        runner: The process of `discovery deploy --serve`.
    """

    home: Path
    file: Path
    server: FullServer
    runner: subprocess.Popen[bytes] | None = None

    @property
    def campaign(self) -> Campaign:
        """The campaign, from its store."""
        return Campaign.open(self.file)

    def serve(self) -> None:
        """Start the runner."""
        words = [sys.executable, "-m", "discovery.cli.main", "deploy", str(self.file), "--serve"]
        environment = {**os.environ, "PREFECT_API_URL": self.server.url, "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
        with (self.home / "runner.log").open("ab") as log:
            self.runner = subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)

    def worker(self) -> int:
        """Wait until somebody runs the campaign, sweeping meanwhile, and return its process; 0 where it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            leases = self.campaign.store.leases()
            owners = leases.loc[leases["name"] == lease_name("served"), "owner"]
            if len(owners) and not is_gone(owners.iloc[0]):
                return int(owners.iloc[0].rpartition(":")[2])
            if self.campaign.store.campaign("served").status == "FINISHED":
                return 0
            sweep_once([str(self.file)], settle_s=0.01)
            time.sleep(1.0)
        raise AssertionError(f"nobody runs the campaign: {(self.home / 'runner.log').read_text()[-3000:]}")

    def await_measurements(self, n: int) -> None:
        """Wait until a number of measurements are in the store."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.campaign.measurements()) < min(n, BUDGET) and time.monotonic() < deadline:
            time.sleep(0.2)

    def restart_server(self) -> None:
        """Start the server again, on the same database and port."""
        port = int(self.server.url.split(":")[2].split("/")[0])
        self.server.process.wait()
        self.server = FullServer.start(self.home, port=port)
        self.server.wait()


@pytest.fixture
def lab(tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A server and a runner of a campaign with one experiment per cycle; ended whatever became of them."""
    file = write(name="served", store="served.duckdb", budget={"experiments": BUDGET}, acquisition={"batch_size": 1})
    Campaign.open(file)
    made = Lab(tmp_path / "home", file, FullServer.start(tmp_path / "home", port=0))
    made.server.wait()
    monkeypatch.setenv("PREFECT_API_URL", made.server.url)
    monkeypatch.setattr(runs, "GRACE_S", 20.0)
    monkeypatch.setattr(runs, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(stuck, "CONFIRM_S", 2.0)
    made.serve()
    with named_server():
        yield made
    with suppress(ProcessLookupError):
        os.killpg(made.runner.pid, signal.SIGKILL)
    made.runner.wait()
    made.server.stop()


def test_whatever_is_killed_the_campaign_ends(lab: Lab):
    """Each in turn is killed at a random moment: what was measured stays, nothing is run twice, the budget is met.

    With `pytest -s` it says how long it took until somebody was at work again; docs/recovery.md has these figures.
    """
    moments, before = random.Random(7), 0
    for strike in (kill_flow, kill_runner_and_flow, kill_server, kill_writer):
        assert lab.worker(), "the budget is spent before everything was killed"
        lab.await_measurements(before + moments.randint(1, 2))
        time.sleep(moments.uniform(0.0, 0.5))
        worker = lab.worker()
        struck_at = time.monotonic()
        strike(lab, worker)
        lab.worker()
        print(f"{strike.__name__}: at work again after {time.monotonic() - struck_at:.0f} s")
        now = len(lab.campaign.measurements())
        assert now >= before
        before = now
    while lab.worker():
        time.sleep(0.5)
    check_end(lab)


def kill_flow(lab: Lab, worker: int) -> None:
    """Kill the process that runs the campaign."""
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)


def kill_runner_and_flow(lab: Lab, worker: int) -> None:
    """Kill the runner and the process of the run, so that nobody is left to tell Prefect; start the runner again."""
    os.kill(lab.runner.pid, signal.SIGKILL)
    kill_flow(lab, worker)
    lab.runner.wait()
    lab.serve()


def kill_server(lab: Lab, worker: int) -> None:
    """Kill the server, leave it away for a moment, and start it again where it was."""
    os.kill(lab.server.process.pid, signal.SIGKILL)
    time.sleep(3.0)
    lab.restart_server()


def kill_writer(lab: Lab, worker: int) -> None:
    """Kill somebody else's process in the middle of a transaction that holds the store."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(lab.campaign.store.path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline().strip() == b"in the middle"
    time.sleep(1.0)
    writer.kill()
    writer.wait()
    writer.stdout.close()
    assert "half-written" not in set(lab.campaign.store.metrics("served")["name"])


def check_end(lab: Lab) -> None:
    """Check the store and the server: each thing once, and no run that Prefect believes in for nobody."""
    campaign = lab.campaign
    trials, measured = campaign.store.trials("served"), campaign.measurements()
    assert len(measured) == BUDGET and measured["key"].is_unique and measured["trial_id"].is_unique
    assert set(trials["status"]) == {"COMPLETED"} and set(trials["attempt"]) == {1}
    assert campaign.store.orphans().empty
    deadline = time.monotonic() + PATIENCE_S
    while stuck.stuck_in(campaign.store) and time.monotonic() < deadline:
        sweep_once([str(lab.file)], settle_s=0.01)
    assert stuck.stuck_in(campaign.store) == []
