"""One process runs a campaign."""

from __future__ import annotations

import pytest

from discovery.errors import LeaseError
from discovery.store import Store
from flows import lease
from flows.lease import held, lease_name


@pytest.fixture
def store(tmp_path) -> Store:
    """An empty store."""
    return Store(tmp_path / "lab.duckdb", wait_s=5.0)


def test_a_live_owner_keeps_the_campaign(store):
    """While another live process holds the lease, a second run is refused and told who it is."""
    store.take_lease(lease_name("lab"), "elsewhere:1", seconds=60)
    with pytest.raises(LeaseError, match="elsewhere:1"), held(store, "lab"):
        pass


def test_a_dead_owner_is_followed_at_once(store):
    """The lease of a process of this machine that is gone is taken over, and given back at the end."""
    import socket

    store.take_lease(lease_name("lab"), f"{socket.gethostname()}:4194304", seconds=3600)
    with held(store, "lab") as check:
        check()
    with store.lease(lease_name("lab"), owner="elsewhere:1"):
        pass


def test_the_lease_is_renewed(store, monkeypatch):
    """A run that takes longer than the lease keeps it."""
    monkeypatch.setattr(lease, "RENEW_EVERY_S", 0.1)
    monkeypatch.setattr(lease, "LEASE_S", 0.6)
    with held(store, "lab") as check:
        _sleep(1.2)
        check()
        with pytest.raises(LeaseError):
            store.take_lease(lease_name("lab"), "elsewhere:1", seconds=60)


def test_a_run_that_was_taken_over_stops(store, monkeypatch):
    """When another process has the lease, the check between two stages says so."""
    monkeypatch.setattr(lease, "RENEW_EVERY_S", 0.1)
    with held(store, "lab") as check:
        _hand_over(store)
        _sleep(0.6)
        with pytest.raises(LeaseError, match="taken over"):
            check()


def _hand_over(store: Store) -> None:
    from discovery.store.leases import process_owner

    mine = store.take_lease(lease_name("lab"), process_owner(), seconds=60)
    store.release_lease(mine)
    store.take_lease(lease_name("lab"), "elsewhere:1", seconds=60)


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)
