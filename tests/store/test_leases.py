"""Leases: one live owner at a time, and none that a dead process leaves behind."""

import os
import socket
import subprocess
import sys
import time

import pytest

from discovery.errors import LeaseError
from discovery.store.leases import is_gone, process_owner

GONE = f"{socket.gethostname()}:4194304"


def test_a_lease_has_one_owner_at_a_time(store):
    """The second owner is told who holds it, and gets it when it is given back."""
    with store.lease("campaign:lab", "ada", 60) as lease:
        assert lease.owner == store.lease_owner("campaign:lab") == "ada"
        with pytest.raises(LeaseError, match=r"Lease campaign:lab must be free .* held by ada until .* UTC"):
            store.take_lease("campaign:lab", "bob", 60)
        with store.lease("campaign:other", "bob", 60):
            pass
    with store.lease("campaign:lab", "bob", 60) as lease:
        assert lease.owner == "bob"


def test_a_lease_is_given_back_after_an_error(store):
    """A failing body does not block the campaign."""
    with pytest.raises(ZeroDivisionError), store.lease("x", "ada", 60):
        raise ZeroDivisionError
    assert store.take_lease("x", "bob", 60).owner == "bob"


def test_an_expired_lease_is_taken_and_its_former_owner_is_told(store):
    """Who was away too long must stop, and must not give back what another holds."""
    old = store.take_lease("x", "ada", 0.0)
    assert store.lease_owner("x") == store.lease_owner("never held") == ""
    new = store.take_lease("x", "bob", 60)
    with pytest.raises(LeaseError, match="must still be held by ada; got bob"):
        store.renew(old)
    store.release_lease(old)
    assert store.renew(new, 120).expires_at > new.expires_at
    store.release_lease(new)
    with pytest.raises(LeaseError, match="got nobody"):
        store.renew(new)


def test_a_lease_of_a_dead_process_is_free(store):
    """After a kill the same campaign starts again at once, without waiting for the expiry."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    dead = f"{socket.gethostname()}:{process.pid}"
    store.take_lease("x", dead, 3600)
    assert store.take_lease("x", process_owner(), 60).owner == process_owner()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_process_that_ended_and_was_not_waited_for_is_gone():
    """In a container without an init a killed process stays in the table for ever; its leases are free all the same."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.stdout.read()  # closed when it ends
    owner = f"{socket.gethostname()}:{process.pid}"
    deadline = time.monotonic() + 10
    while not is_gone(owner) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_gone(owner) and process.returncode is None
    process.wait()
    process.stdout.close()


def test_renewing_keeps_the_moment_it_was_taken(store):
    """A lease says since when it is held, however often it was renewed."""
    lease = store.take_lease("x", process_owner(), 60)
    taken = store.leases()["acquired_at"].iloc[0]
    store.renew(lease, 120)
    assert store.leases()["acquired_at"].iloc[0] == taken


def test_free_leases_are_given_back(store):
    """Leases that expired, or whose process is gone, are removed; a live owner keeps its own."""
    for name, owner, seconds in (("a", "elsewhere:1", -1), ("b", GONE, 60), ("c", "elsewhere:1", 60)):
        store.take_lease(name, owner, seconds)
    assert store.leases()["is_free"].tolist() == [True, True, False]
    assert store.free_leases() == ["a", "b"]
    assert store.leases()["name"].tolist() == ["c"]
    assert store.free_leases() == []


@pytest.mark.parametrize(
    "owner",
    [f"{socket.gethostname()}:{os.getpid()}", "elsewhere:1", "ada", f"{socket.gethostname()}:x"],
    ids=["alive here", "on another machine", "a person", "no process id"],  # the same in every worker of a test run
)
def test_an_owner_that_may_live_is_not_gone(owner):
    """Only a process of this machine that is known not to run counts as gone."""
    assert not is_gone(owner)
