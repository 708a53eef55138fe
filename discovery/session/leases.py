"""Who may do what alone: one process runs a campaign, however it was started, and one takes in its inbox.

Prefect alone cannot say who is alive after a crash; the lease in the store can. It is held by whoever is at work and
renewed while that takes. A holder whose process is gone is followed at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from discovery.errors import LeaseError, StoreError

if TYPE_CHECKING:
    from discovery.store import Lease, Store

LEASE_S = 300.0  # an owner that renews nothing for so long has lost what it held
RENEW_EVERY_S = 60.0

Key = tuple[Path, str]
Check = Callable[[], None]
_guard = threading.Lock()
_checks: dict[Key, Check] = {}  # of everything that this process holds
_own: ContextVar[frozenset[Key]] = ContextVar("own", default=frozenset())  # what the work at hand holds


def lease_name(campaign: str) -> str:
    """Return the name of the lease of whoever runs a campaign."""
    return f"campaign:{campaign}"


def inbox_lease_name(campaign: str) -> str:
    """Return the name of the lease of whoever takes in a campaign's inbox."""
    return f"inbox:{campaign}"


def running(store: Store, campaign: str) -> AbstractContextManager[Check]:
    """Be the one who runs a campaign while the body lasts (`held`)."""
    return held(store, lease_name(campaign))


@contextmanager
def held(store: Store, name: str) -> Iterator[Check]:
    """Hold a lease while the body runs; inside a body that holds it already, go on holding it.

    Args:
        store: Where it is written down.
        name: What is held.

    Yields:
        A check for the body to call between its stages, or in the transaction that must not happen twice; raises
        LeaseError where another process has taken over.

    Raises:
        LeaseError: If another live process, or another thread of this one, holds it.
    """
    key = (store.path, name)
    if key in _own.get():
        yield _checks[key]
        return
    with _alone(key), store.lease(name, seconds=LEASE_S) as lease, _renewed(store, lease):

        def check() -> None:
            store.renew(lease, LEASE_S)

        _checks[key] = check
        before = _own.set(_own.get() | {key})
        try:
            yield check
        finally:
            _own.reset(before)


@contextmanager
def _alone(key: Key) -> Iterator[None]:
    """Keep other threads of this process out: to the store they are the same owner."""
    with _guard:
        if key in _checks:
            raise LeaseError(
                f"Lease {key[1]} must be free to be taken; another thread of this process holds it.", "Wait for it."
            )
        _checks[key] = _nothing
    try:
        yield
    finally:
        del _checks[key]


def _nothing() -> None:
    """Check nothing: the lease is being taken."""


@contextmanager
def _renewed(store: Store, lease: Lease) -> Iterator[None]:
    """Renew a lease in the background while the body runs."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_EVERY_S):
            try:
                store.renew(lease, LEASE_S)
            except LeaseError:
                return  # the next check says so where it matters
            except StoreError:
                continue  # held by someone else for the moment; the lease outlasts several attempts

    thread = threading.Thread(target=renew, daemon=True, name=f"renew {lease.name}")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
