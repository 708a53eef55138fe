"""One process runs a campaign: the lease is held by whoever runs it, and renewed while that takes.

Prefect alone cannot say who is alive after a crash; the lease in the store can. A holder whose process is gone is
followed at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from discovery.errors import LeaseError, StoreError

if TYPE_CHECKING:
    from discovery.store import Lease, Store

LEASE_S = 300.0  # an owner that renews nothing for so long has lost the campaign
RENEW_EVERY_S = 60.0


def lease_name(campaign: str) -> str:
    """Return the name of a campaign's lease."""
    return f"campaign:{campaign}"


@contextmanager
def held(store: Store, campaign: str) -> Iterator[Callable[[], None]]:
    """Hold a campaign's lease while the body runs.

    Yields:
        A check for the body to call between its stages; raises LeaseError where another process has taken over.

    Raises:
        LeaseError: If another live process runs the campaign.
    """
    with store.lease(lease_name(campaign), seconds=LEASE_S) as lease, _renewing(store, lease) as lost:
        yield lambda: _check(lost, campaign)


@contextmanager
def _renewing(store: Store, lease: Lease) -> Iterator[threading.Event]:
    """Renew a lease in the background; the event is set when it is lost."""
    done, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_EVERY_S):
            try:
                store.renew(lease, LEASE_S)
            except LeaseError:
                lost.set()
                return
            except StoreError:
                continue  # held by someone else for the moment; the lease outlasts several attempts

    thread = threading.Thread(target=renew, daemon=True, name=f"renew {lease.name}")
    thread.start()
    try:
        yield lost
    finally:
        done.set()
        thread.join()


def _check(lost: threading.Event, campaign: str) -> None:
    if lost.is_set():
        raise LeaseError(f"Campaign {campaign} must be run by one process; another has taken over.", "Stop here.")
