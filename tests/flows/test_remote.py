"""Trials on another machine: one file per trial in the inbox, taken in once, and every end without a result is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from discovery.errors import ConfigurationError
from discovery.ingest.arrivals import Settling, tables_in
from discovery.session import Campaign
from discovery.session.inbox import take_inbox
from flows.remote import GIVEN_UP, SHARED, RemoteTrial, elsewhere, file_name, mounted, remote

POOL = {"type": "table", "path": "table.csv", "pool": "far"}


@pytest.fixture
def trial() -> RemoteTrial:
    """The trial of a proposal."""
    return RemoteTrial(
        trial_id="Lab_1-c001-00-t1",
        proposal_id="Lab_1-c001-00",
        key='{"ligand": "L03"}',
        idempotency_key="abc",
        configuration={"ligand": "L03"},
    )


@pytest.fixture
def far(write: Callable[..., Path], trial: RemoteTrial) -> Callable[..., tuple[Campaign, object]]:
    """A campaign with one proposal under way, and its trial carried out elsewhere."""

    def carry_out(**changes: object) -> tuple[Campaign, object]:
        one = Campaign.open(write(**{"experiment": POOL, "inbox": "inbox"} | changes))
        if one.proposals().empty:
            one.ask(1)
            one.review_pending()
            (one.spec.base_dir / "inbox").mkdir()
        (proposal,) = one.proposals().to_dict("records")
        started = one.store.start_trial(proposal["proposal_id"], "table", "here:1")
        context = one.store.proposal(proposal["proposal_id"])
        order = trial.model_copy(
            update={
                "trial_id": started.trial_id,
                "proposal_id": started.proposal_id,
                "key": context.key,
                "configuration": dict(context.configuration),
            }
        )
        spec = json.loads(one.spec.model_dump_json(exclude_unset=True))
        folder = one.spec.base_dir
        return one, remote.fn(spec, str(folder), str(folder / "inbox"), order)

    return carry_out


def test_a_result_comes_as_a_file_and_completes_its_trial(far):
    """What another machine found lands through the inbox: once, with its trial and proposal, whoever asks twice."""
    one, name = far()
    inbox = one.spec.base_dir / "inbox"
    assert [path.name for path in inbox.iterdir()] == [name]
    (row,) = pd.read_parquet(inbox / name).to_dict("records")
    (taken,) = take_inbox(one, Settling(settle_s=0.0))
    assert (taken.verdict, taken.n_added) == ("accepted", 1)
    (measured,) = one.measurements().to_dict("records")
    assert {key: measured[key] for key in row} == row
    assert set(one.store.trials(one.name)["status"]) == {"COMPLETED"}


def test_a_run_that_comes_again_adds_nothing(far, tmp_path):
    """A run that is started again measures nothing again, also where its file was taken in; a copy adds nothing."""
    one, name = far()
    first = (tmp_path / "inbox" / name).read_bytes()
    table = (tmp_path / "table.csv").read_text()
    (tmp_path / "other.csv").write_text(table.replace(".", "9."))
    again = {"experiment": {**POOL, "path": "other.csv"}}
    assert (far(**again)[1], (tmp_path / "inbox" / name).read_bytes()) == (name, first)
    take_inbox(one, Settling(settle_s=0.0))
    (tmp_path / "inbox" / f"again-{name}").write_bytes(first)
    (taken,) = take_inbox(one, Settling(settle_s=0.0))
    assert (taken.verdict, taken.n_added, len(one.measurements())) == ("accepted", 0, 1)


def test_a_trial_that_never_succeeds_is_a_failed_run(far, tmp_path):
    """What the adapter refuses is the message of the run, in a state that says not to try again; no file is written."""
    (tmp_path / "other.csv").write_text("ligand,yield\nL23,50.0\n")
    _, state = far(experiment={**POOL, "path": "other.csv"})
    assert (state.name, state.is_failed()) == (GIVEN_UP, True) and "ligand" in state.message
    assert not list((tmp_path / "inbox").iterdir())


def test_a_pool_needs_an_inbox_and_a_server(write, monkeypatch):
    """Without an inbox the file is refused; without a server that workers reach the adapter is."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(ConfigurationError, match=r"inbox must name the folder.*far"):
        Campaign.open(write(experiment=POOL))
    one = Campaign.open(write(experiment=POOL, inbox="inbox"))
    with pytest.raises(ConfigurationError, match=r"experiment\.pool of Lab_1.*PREFECT_API_URL"):
        elsewhere(one.spec)
    assert elsewhere(Campaign.open(write()).spec) is None


@pytest.mark.parametrize(
    ("said", "folder", "wanted"),
    [
        ("", "/data/lab", "/data/lab"),
        ("/data=/mnt/share", "/data/lab/inbox", "/mnt/share/lab/inbox"),
        ("/data/=/mnt/share", "/data", "/mnt/share"),
        ("/data=/mnt/share", "/database/lab", "/database/lab"),
    ],
)
def test_a_shared_folder_has_another_name_elsewhere(said, folder, wanted, monkeypatch):
    """A folder of the campaign's machine is found where the remote machine has mounted it."""
    monkeypatch.setenv(SHARED, said)
    assert mounted(folder) == Path(wanted)


def test_a_wrong_mapping_is_refused(monkeypatch):
    """A mapping without both sides is a sentence, not a file in a strange place."""
    monkeypatch.setenv(SHARED, "/data")
    with pytest.raises(ConfigurationError, match="THERE=HERE"):
        mounted("/data/lab")


def test_names_of_files_are_plain():
    """Whatever a campaign is called, its files have names that every file system takes."""
    assert file_name("a/b & c: 1-c001-00-t1") == "a-b-c-1-c001-00-t1.parquet"


@pytest.mark.slow
def test_a_campaign_whose_trials_are_elsewhere_runs_to_its_end(write, full_server, tmp_path, far_worker):
    """Runs end while trials are under way; a worker carries each out once, and its files bring the budget home."""
    file = write(experiment=POOL, inbox="inbox", budget={"experiments": 4})
    one, settling = Campaign.open(file), Settling(settle_s=0.0)
    deadline = time.monotonic() + 240
    while not one.progress().is_finished and time.monotonic() < deadline:
        done = run_campaign(file, full_server)
        assert done.returncode == 0, done.stderr
        assert one.progress().is_finished or "Results are awaited of" in done.stderr
        n = one.progress().n_running
        while len(tables_in(tmp_path / "inbox")) < n and time.monotonic() < deadline:
            time.sleep(0.5)
        take_inbox(one, settling)
    assert len(one.measurements()) == 4 and one.measurements()["trial_id"].is_unique
    runs = flow_runs(full_server, "remote")
    assert len(runs) == 4 and {run["state_name"] for run in runs} == {"Completed"}
    assert {run["id"] for run in runs} == set(one.store.trials(one.name)["external_id"])


@pytest.mark.slow
def test_a_remote_failure_is_said_here(write, full_server, tmp_path, far_worker):
    """A trial that the other machine has given up is given up here, with what was said there."""
    (tmp_path / "other.csv").write_text("ligand,yield\nL23,50.0\n")
    file = write(experiment={**POOL, "path": "other.csv"}, inbox="inbox", acquisition={}, name="Lab_2")
    one = Campaign.open(file)
    deadline = time.monotonic() + 120
    while one.store.trials(one.name, ["ABANDONED"]).empty and time.monotonic() < deadline:
        assert run_campaign(file, full_server, "--cycles", "1").returncode == 0
        time.sleep(2.0)
    (error,) = one.store.trials(one.name, ["ABANDONED"])["error"]
    assert "GivenUp" in error and "other.csv" in error


@pytest.fixture
def far_worker(full_server, tmp_path) -> Iterator[None]:
    """A worker of the pool `far`, as another machine would run it."""
    words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "far", "--type", "process"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(words, env={**os.environ, "PREFECT_API_URL": full_server}, stdout=log, stderr=log)
    yield
    worker.send_signal(signal.SIGINT)
    worker.wait(timeout=60)


def run_campaign(file: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a campaign until it ends or waits."""
    command = [sys.executable, "-m", "discovery.cli.main", "run", str(file), *words]
    environment = {**os.environ, "PREFECT_API_URL": url}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def flow_runs(url: str, flow: str) -> list[dict[str, Any]]:
    """Return the runs of a flow that the server knows."""
    import httpx

    body = {"flows": {"name": {"any_": [flow]}}, "limit": 200}
    runs: list[dict[str, Any]] = httpx.post(f"{url}/flow_runs/filter", json=body).json()
    return runs
