"""The outbox is told to a server that accepts it, and kept for one that does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest

from discovery.session.happenings import CAMPAIGN_STUCK, PROPOSALS_DECIDED, RESULTS_INGESTED, REVIEW_WAITING
from discovery.session.leases import lease_name
from discovery.store import Store
from discovery.store.leases import process_owner
from flows.events import tell_events, wanted
from flows.wake import is_deployed


@dataclass
class Listener:
    """An HTTP server that answers as Prefect does where nothing is deployed, and keeps what it was told."""

    status: int = 204
    told: list[dict] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Listen while the body runs; gives the address."""
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/api/events":
                    kept.told += json.loads(body) if kept.status == 204 else []
                self._answer(kept.status)

            def do_GET(self) -> None:
                kept.asked += [self.path] if "/deployments/" in self.path else []
                self._answer(404)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/api"
            server.shutdown()


@pytest.fixture
def store(tmp_path) -> Store:
    """A store with two campaigns' events."""
    made = Store(tmp_path / "lab.duckdb", wait_s=5.0)
    made.add_event("lab", RESULTS_INGESTED, {"n_added": 1}, "m1")
    made.add_event("lab", RESULTS_INGESTED, {"n_added": 2}, "m2")
    made.add_event("other", REVIEW_WAITING, {"cycle": 1}, 1)
    return made


@pytest.fixture
def listener(monkeypatch) -> Iterator[Listener]:
    """A listener that this process takes for its Prefect server."""
    made = Listener()
    with made.listening() as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        monkeypatch.setenv("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "false")
        from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

        with temporary_settings({PREFECT_API_URL: url, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}):
            yield made


def test_without_a_server_nothing_is_told(store, monkeypatch):
    """Where no server is named every event stays for the one that will be."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert tell_events(store) == 0
    assert len(store.unsent_events()) == 3


def test_events_are_told_once_under_their_keys(store, listener):
    """Every event arrives with its name, campaign, payload and time, and is not told again."""
    rows = store.unsent_events().set_index("event_key")
    assert (tell_events(store), tell_events(store)) == (3, 0)
    assert {UUID(event["id"]).hex for event in listener.told} == set(rows.index)
    first = next(event for event in listener.told if event["payload"].get("n_added") == 1)
    assert first["event"] == "discovery.results.ingested"
    assert first["resource"]["prefect.resource.id"] == "discovery.campaign.lab"
    assert first["payload"]["campaign"] == "lab"
    when = rows.loc[UUID(first["id"]).hex, "created_at"]
    assert first["occurred"] == when.isoformat().replace("+00:00", "Z")


def test_each_deployment_is_woken_once(store, listener):
    """Two results of one campaign wake it once; a review wakes its form; a deployment that is not there is no error."""
    tell_events(store)
    assert sorted(listener.asked) == ["/api/deployments/name/campaign/lab", "/api/deployments/name/decide/other"]


def test_what_was_never_deployed_goes_on_by_no_deployment(listener, monkeypatch):
    """A campaign without a deployment does not go on by itself, whether there is a server or none."""
    assert not is_deployed("lab/1") and listener.asked == ["/api/deployments/name/campaign/lab-1"]
    monkeypatch.delenv("PREFECT_API_URL")
    assert not is_deployed("lab/1") and len(listener.asked) == 1


def test_a_run_does_not_wake_itself(store, listener):
    """The process that runs a campaign will look at its results anyway."""
    with store.lease(lease_name("lab"), process_owner()):
        tell_events(store)
    assert listener.asked == ["/api/deployments/name/decide/other"]


def test_neither_does_whoever_tells_for_it(store, listener):
    """Campaigns of one store tell each other's events; a run that is at work elsewhere is left in peace."""
    with store.database.transaction() as connection:
        connection.execute("UPDATE outbox SET owner = 'elsewhere:7' WHERE campaign = 'lab'")
    with store.lease(lease_name("lab"), "elsewhere:7"):
        tell_events(store)
    assert listener.asked == ["/api/deployments/name/decide/other"]


@pytest.mark.parametrize("holder", ["elsewhere:7", None])
def test_a_run_is_woken_for_what_others_did(store, listener, holder):
    """Results that a command took in wake the campaign: one at work may be past its last look."""
    with store.lease(lease_name("lab" if holder else "nobody"), holder):
        tell_events(store)
    assert "/api/deployments/name/campaign/lab" in listener.asked


def test_a_server_that_refuses_is_told_the_next_time(store, listener, caplog):
    """What the server did not accept is kept, said in one warning, and told when it answers again."""
    listener.status = 400
    assert tell_events(store) == 0
    assert "told the next time" in caplog.text and len(store.unsent_events()) == 3
    listener.status = 204
    assert tell_events(store) == 3


@pytest.mark.slow
def test_a_deployment_is_asked_for_one_run(store, full_server, monkeypatch):
    """On a whole server events are recorded under their keys, and one told twice asks for one run all the same."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_API_URL", full_server)
    with temporary_settings({PREFECT_API_URL: full_server}), get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow_from_name("campaign"), "lab")
        assert tell_events(store) == 3
        with store.database.transaction() as connection:
            connection.execute("UPDATE outbox SET sent_at = NULL")  # as if it had died before it could remember
        keys = {str(UUID(key)) for key in store.unsent_events()["event_key"]}
        assert tell_events(store) == 3
        runs = [run for run in client.read_flow_runs() if run.deployment_id == deployment]
        asked = [run.idempotency_key for run in runs if run.idempotency_key]  # other tests share server and deployment
        assert [str(UUID(key)) in keys for key in asked] == [True]
        assert _recorded(client, keys) == keys


def _recorded(client, keys: set[str]) -> set[str]:
    """Return which events the server has written down, as soon as it has done so; an event twice is an error."""
    for _ in range(100):
        found = client.request("POST", "/events/filter", json={"filter": {"event": {"prefix": ["discovery."]}}}).json()
        ids = [event["id"] for event in found["events"] if event["id"] in keys]
        assert len(ids) == len(set(ids))
        if len(ids) == len(keys):
            return set(ids)
        time.sleep(0.2)
    return set(ids)


def test_only_what_somebody_waits_for_wakes(tmp_path):
    """Alarms and ends wake nobody; a decision wakes the campaign with the key of the last event."""
    store = Store(tmp_path / "lab.duckdb")
    store.add_event("lab", CAMPAIGN_STUCK, {}, 1)
    keys = [store.add_event("lab", name, {}, 1) for name in (RESULTS_INGESTED, PROPOSALS_DECIDED)]
    assert list(wanted(store.unsent_events())) == [("lab", "campaign", keys[-1], process_owner())]
