"""One process runs a campaign, and one thread of it."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from discovery.errors import LeaseError
from discovery.session import leases
from discovery.session.leases import held, lease_name, running
from discovery.store import Store
from discovery.store.leases import process_owner

GONE = f"{socket.gethostname()}:4194304"


@pytest.fixture
def store(tmp_path) -> Store:
    """An empty store."""
    return Store(tmp_path / "lab.duckdb", wait_s=5.0)


def test_a_live_owner_keeps_the_campaign(store):
    """While another live process holds the lease, a second run is refused and told who it is."""
    store.take_lease(lease_name("lab"), "elsewhere:1", seconds=60)
    with pytest.raises(LeaseError, match="elsewhere:1"), running(store, "lab"):
        pass


def test_a_dead_owner_is_followed_at_once(store):
    """The lease of a process of this machine that is gone is taken over, and given back at the end."""
    store.take_lease(lease_name("lab"), GONE, seconds=3600)
    with running(store, "lab") as check:
        check()
    with store.lease(lease_name("lab"), owner="elsewhere:1"):
        pass


def test_the_lease_is_renewed(store, monkeypatch):
    """A run that takes longer than the lease keeps it."""
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.1)
    monkeypatch.setattr(leases, "LEASE_S", 0.6)
    with running(store, "lab"):
        time.sleep(1.2)
        with pytest.raises(LeaseError):
            store.take_lease(lease_name("lab"), "elsewhere:1", seconds=60)


def test_a_run_that_was_taken_over_stops(store):
    """When another process has the lease, the check between two stages says so, and the lease stays theirs."""
    with running(store, "lab") as check:
        _hand_over(store)
        with pytest.raises(LeaseError, match="taken over"):
            check()
    assert store.leases()["owner"].tolist() == ["elsewhere:1"]


def test_who_holds_a_campaign_goes_on_holding_it(store):
    """What a run calls may ask for the lease again: it is given back when the run ends, and not before."""
    with running(store, "lab"):
        with running(store, "lab") as check:
            check()
        assert store.leases()["owner"].tolist() == [process_owner()]
    assert store.leases().empty


def test_another_thread_of_the_same_process_is_another_run(store):
    """To the store two threads are one owner; they exclude each other all the same."""
    refused: list[LeaseError] = []

    def run() -> None:
        try:
            with held(store, lease_name("lab")):
                pass
        except LeaseError as error:
            refused.append(error)

    with held(store, lease_name("lab")):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert len(refused) == 1 and "another thread" in str(refused[0])
    run()
    assert len(refused) == 1


def test_asking_beside_a_run_is_refused(make_campaign):
    """While another process runs the campaign nobody else proposes; nothing is stored."""
    campaign = make_campaign()
    campaign.store.take_lease(lease_name(campaign.name), "elsewhere:1", seconds=60)
    with pytest.raises(LeaseError, match="elsewhere:1"):
        campaign.ask()
    assert campaign.proposals().empty


def test_who_was_taken_over_while_it_thought_stores_nothing(make_campaign, monkeypatch):
    """The check stands in the transaction that stores proposals: a process that was asleep cannot propose late."""
    from discovery.session import proposing

    campaign = make_campaign()
    think = proposing.propose

    def slowly(*arguments):
        _hand_over(campaign.store, campaign.name)
        return think(*arguments)

    monkeypatch.setattr(proposing, "propose", slowly)
    with pytest.raises(LeaseError, match="taken over"):
        campaign.ask()
    assert campaign.proposals().empty


def _hand_over(store: Store, campaign: str = "lab") -> None:
    """Let another process have what this one holds."""
    mine = store.take_lease(lease_name(campaign), process_owner(), seconds=60)
    store.release_lease(mine)
    store.take_lease(lease_name(campaign), "elsewhere:1", seconds=60)
