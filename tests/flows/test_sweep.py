"""The sweep on a real server: what a kill left behind is ended, and whoever has something to do is woken once."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from discovery.cli.checks import check_runs, repair_everything
from discovery.session import Campaign
from discovery.session.leases import lease_name
from flows import runs, stuck
from flows.deploying import DeployOptions, deploy
from flows.deployments import read_campaigns
from flows.runtime import named_server
from flows.sweep import sweep_once

pytestmark = pytest.mark.slow


@pytest.fixture
def client(full_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """The shared server, named by the environment; gives a client of it."""
    monkeypatch.setenv("PREFECT_API_URL", full_server)
    monkeypatch.setattr(runs, "GRACE_S", 0.5)
    monkeypatch.setattr(stuck, "CONFIRM_S", 0.2)
    with named_server():
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as speaking:
            yield speaking


@pytest.fixture
def deployed(client, write: Callable[..., Path]) -> Callable[..., Path]:
    """Deploy a campaign under a name; nobody runs its runs."""

    def make(name: str, **changes: object) -> Path:
        file = write(name=name, store=f"{name}.duckdb", **changes)
        deploy(read_campaigns([file]), DeployOptions())
        return file

    return make


def sweep(file: Path) -> list[str]:
    """Sweep once; return what was done."""
    return [deed.what for deed in sweep_once([str(file)], settle_s=0.01)]


def open_runs(client, file: Path) -> list:
    """Return the open runs of a campaign file, without those of the sweep."""
    return [run for run in runs.open_runs(client) if runs.is_of(run, file) and run.flow != "sweep"]


def begin(client, run_id: str) -> None:
    """Let a run begin, as a runner says it, and let a while pass."""
    from prefect.states import Running

    client.set_flow_run_state(UUID(run_id), Running(), force=True)
    time.sleep(0.7)


def test_a_campaign_that_has_something_to_do_is_woken_once(client, deployed):
    """A wake-up that never came is made up for; a second sweep wakes nobody."""
    file = deployed("woken")
    assert sweep(file) == ["woken"]
    (run,) = open_runs(client, file)
    assert (run.flow, run.state) == ("campaign", "SCHEDULED")
    assert sweep(file) == []
    assert len(open_runs(client, file)) == 1


def test_a_run_that_was_cut_off_is_ended_and_followed(client, deployed):
    """Prefect shows it as running, the lease is free: it is marked as crashed, says why, and another is asked for."""
    file = deployed("cut-off")
    sweep(file)
    (run,) = open_runs(client, file)
    begin(client, run.run_id)
    campaign = Campaign.open(file)
    campaign.store.take_lease(lease_name(campaign.name), f"{socket.gethostname()}:4194304", 3600)
    assert sweep(file) == ["crashed", "lease", "woken"]
    state = client.read_flow_run(run.run_id).state
    assert state.type.value == "CRASHED" and "What it recorded is in the store" in state.message
    (again,) = open_runs(client, file)
    assert again.run_id != run.run_id and again.state == "SCHEDULED"


def test_a_run_that_is_at_work_is_left_alone(client, deployed):
    """The holder of the lease runs it, however long that takes."""
    file = deployed("at-work")
    sweep(file)
    (run,) = open_runs(client, file)
    campaign = Campaign.open(file)
    with campaign.store.lease(lease_name(campaign.name)):
        begin(client, run.run_id)
        assert sweep(file) == []
    assert sweep(file) == ["crashed", "woken"]


def test_what_a_dead_run_called_ends_with_it(client, deployed):
    """The stages of a run that was cut off are marked as well."""
    from prefect.states import Running

    from flows.ingest import ingest
    from flows.steps import ingest_step

    file = deployed("stages")
    sweep(file)
    (parent,) = open_runs(client, file)
    called = client.create_task_run(ingest_step, UUID(parent.run_id), dynamic_key="0", state=Running())
    parameters = {"file": str(file), "cycle": 1}
    client.create_flow_run(ingest, parameters=parameters, parent_task_run_id=called.id, state=Running())
    begin(client, parent.run_id)
    assert [run.is_child for run in open_runs(client, file)].count(True) == 1
    assert sweep(file).count("crashed") == 2
    assert [run.state for run in open_runs(client, file)] == ["SCHEDULED"]


def test_a_form_is_opened_for_what_waits(client, deployed):
    """Proposals that wait for people get a run of `decide`, once."""
    file = deployed("asking", review={"mode": "required"})
    one = Campaign.open(file)
    one.ask()
    assert sweep(file) == ["woken"] and sweep(file) == []
    assert [run.flow for run in open_runs(client, file)] == ["decide"]


def test_a_file_in_the_inbox_wakes_the_campaign(client, deployed):
    """A sweep takes the inbox in and tells Prefect, which wakes the campaign that waited for results."""
    file = deployed("arriving", inbox="inbox", experiment=None)
    one = Campaign.open(file)
    first, _ = one.ask()["ligand"]
    one.review_pending()
    (file.parent / "inbox").mkdir()
    (file.parent / "inbox" / "r.csv").write_text(f"ligand,yield\n{first},70\n")
    assert sweep(file)[:2] == ["inbox", "events"]
    assert [run.flow for run in open_runs(client, file)] == ["campaign"]
    assert sweep(file) == []


def test_doctor_finds_and_repairs_what_was_cut_off(client, deployed):
    """`doctor` names the run; with --repair it is marked as crashed."""
    file = deployed("ailing")
    sweep(file)
    (run,) = open_runs(client, file)
    begin(client, run.run_id)
    store = Campaign.open(file).store
    (found,) = check_runs(store)
    assert not found.is_fine and f"campaign run {run.run_id} of ailing is RUNNING" in found.text
    (repaired,) = repair_everything(store)
    assert repaired.is_repaired and run.run_id in repaired.text
    assert list(check_runs(store)) == []
