"""The automations that come along are taken by a server as they are, and tell what has happened."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest
import yaml

import flows
from discovery.session.happenings import (
    CAMPAIGN_FINISHED,
    CAMPAIGN_STUCK,
    EVENTS,
    REVIEW_WAITING,
    TARGET_REACHED,
    TRANSFER_HARMFUL,
)
from discovery.store import Store
from flows.events import tell_events
from flows.notifying import notify

FILE = Path(flows.__file__).with_name("automations.yaml")
PATIENCE_S = 60.0


def test_automations_listen_to_events_that_are_told():
    """Every event of ours that an automation waits for is one that the session writes."""
    told = {name for one in yaml.safe_load(FILE.read_text())["automations"] for name in one["trigger"]["expect"]}
    ours = {name for name in told if name.startswith("discovery.")}
    assert {REVIEW_WAITING, TRANSFER_HARMFUL, TARGET_REACHED} <= ours <= set(EVENTS)
    assert told - ours == {"prefect.flow-run.Crashed", "prefect.flow-run.Failed"}


@pytest.fixture
def cli_run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a command in a process of its own."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "discovery.cli.main", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def mailbox() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A web hook on this machine: its address, and what it was sent."""
    received: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", received
        server.shutdown()


@pytest.fixture
def client(full_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A client of a whole server, which this process and its children take for theirs."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_API_URL", full_server)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    with temporary_settings({PREFECT_API_URL: full_server}), get_client(sync_client=True) as found:
        yield found
        for automation in found.read_automations():
            found.delete_automation(automation.id)


@pytest.mark.slow
def test_a_team_is_told(client, mailbox, tmp_path):
    """Created from the file, they notify about a review, harm, a target, an end, a stuck campaign and a crashed run."""
    url, received = mailbox
    _create_automations(_notifying(url), tmp_path)
    assert {one.change for one in notify("custom-webhook/team")} == {"updated"}  # made already, under these names
    assert len(client.read_automations()) == 5
    store = Store(tmp_path / "lab.duckdb")
    store.add_event("lab", REVIEW_WAITING, {"cycle": 3, "proposal_ids": ["lab-c003-00", "lab-c003-01"]}, 3)
    harm = {"weights": {"no_transfer": 0.91, "history": 0.09}, "e_value": 33.33, "n_measurements": 7}
    store.add_event("lab", TRANSFER_HARMFUL, harm)
    store.add_event("lab", TARGET_REACHED, {"best": 96.5, "target": 95.0})
    store.add_event("lab", CAMPAIGN_FINISHED, {"reason": "The budget is used.", "ended_by": "budget"})
    store.add_event("lab", CAMPAIGN_STUCK, {"reason": "Nobody answers."})
    assert tell_events(store) == 5
    crashed = _crash(client)
    by_subject = _wait(received, 6)
    assert by_subject["lab: 2 proposals wait for a decision"].startswith("Cycle 3: lab-c003-00, lab-c003-01.")
    assert "e-value is 33.3" in by_subject["lab: experience does not fit this task"]
    assert "no_transfer 0.91" in by_subject["lab: experience does not fit this task"]
    assert by_subject["lab: the target is reached"] == "Best 96.5, wanted 95.0."
    assert by_subject["lab: finished"] == "The budget is used."
    assert by_subject["lab: stuck"] == "Nobody answers."
    assert "The machine was lost." in by_subject[f"{crashed}: Crashed"]


@pytest.mark.slow
def test_notify_makes_and_removes_automations(client, cli_run):
    """`discovery notify` makes each automation once, takes it away again, and names the blocks that there are."""
    _notifying("http://127.0.0.1:9")
    assert cli_run("notify", "slack-webhook/team").returncode == 1
    assert "Known: custom-webhook/team." in cli_run("notify", "slack-webhook/team").stderr
    for words, change in (
        (["custom-webhook/team"], "created"),
        (["custom-webhook/team"], "updated"),
        (["--remove"], "removed"),
    ):
        made = json.loads(cli_run("notify", *words, "--json").stdout)
        assert [one["change"] for one in made] == [change] * 5
    assert client.read_automations() == []
    assert json.loads(cli_run("notify", "--remove", "--json").stdout) == []


def _notifying(url: str) -> UUID:
    """Make a notification block that calls a web hook; returns its id."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    hook = {"subject": "{{subject}}", "body": "{{body}}"}
    saved = CustomWebhookNotificationBlock(name="team", url=url, json_data=hook).save("team", overwrite=True)
    assert isinstance(saved, UUID)
    return saved


def _create_automations(block_id: UUID, folder: Path) -> None:
    """Create the automations as the file's head says."""
    ours = folder / "ours.yaml"
    ours.write_text(FILE.read_text().replace("BLOCK_ID", str(block_id)))
    command = [sys.executable, "-m", "prefect", "automation", "create", "--from-file", str(ours)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Created 5 automation(s)" in done.stdout


def _crash(client) -> str:
    """Make a run of a deployment, and of a flow that is not ours, and crash both; returns the name of the first."""
    from prefect.states import Crashed

    flow = client.create_flow_from_name("campaign")
    deployment = client.create_deployment(flow, "lab", tags=["discovery", "lab"])
    ours = client.create_flow_run_from_deployment(deployment)
    other = client.create_flow_run_from_deployment(client.create_deployment(flow, "other"))
    for run in (other, ours):
        client.set_flow_run_state(run.id, Crashed(message="The machine was lost."), force=True)
    return str(ours.name)


def _wait(received: list[dict[str, str]], n: int) -> dict[str, str]:
    """Wait until so many messages came, and a moment for those that must not; returns bodies by subject."""
    deadline = time.monotonic() + PATIENCE_S
    while len(received) < n and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1.0)
    assert len(received) == n, [message["subject"] for message in received]
    return {message["subject"]: message["body"].strip() for message in received}
