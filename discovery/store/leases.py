"""Leases: a name that one owner holds until a moment, so that two processes never run one campaign at once.

An owner made by `process_owner` names its machine and process: when that process is gone the lease is free at once,
and a campaign that was killed can be started again without waiting for the lease to expire.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.errors import LeaseError
from discovery.store.base import StorePart
from discovery.store.records import Lease

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


def process_owner() -> str:
    """Return the owner that stands for this process: `<machine>:<process id>`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(owner: str) -> bool:
    """Return whether an owner is a process of this machine that no longer runs; False where that cannot be known."""
    machine, _, number = owner.rpartition(":")
    if machine != socket.gethostname() or not number.isdigit() or os.name != "posix":
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return _has_ended(number)


def _has_ended(number: str) -> bool:
    """Return whether a process has ended and only waits for its parent to ask how, as in containers without an init."""
    try:
        text = Path("/proc", number, "stat").read_text()
    except OSError:  # a system without /proc, or it has gone meanwhile
        return False
    return text.rpartition(")")[2].split()[0] in ("Z", "X")


def is_free(holder: str, owner: str, is_expired: bool) -> bool:
    """Return whether an owner may take what a holder has: it is its own, expired, or the holder's process is gone."""
    return is_expired or holder == owner or is_gone(holder)


class Leases(StorePart):
    """Leases in the store."""

    @contextmanager
    def lease(self, name: str, owner: str = "", seconds: float = 60.0) -> Iterator[Lease]:
        """Hold a name while the body runs; the database is open only to take it and to give it back.

        Args:
            name: What is held, such as `campaign:suzuki`.
            owner: Who holds it; default this process.
            seconds: How long it stays held if nobody gives it back or renews it.

        Raises:
            LeaseError: If another live owner holds it.
        """
        taken = self.take_lease(name, owner or process_owner(), seconds)
        try:
            yield taken
        finally:
            self.release_lease(taken)

    def take_lease(self, name: str, owner: str, seconds: float) -> Lease:
        """Take a lease that is free, expired or one's own, and hold it from now on.

        Raises:
            LeaseError: If another live owner holds it.
        """
        with self.database.transaction() as connection:
            row = self._holder(name)
            if row is not None and not is_free(row["owner"], owner, row["is_expired"]):
                raise held_by_another(f"Lease {name}", row["owner"], row["expires_at"])
            connection.execute(
                """INSERT INTO leases VALUES ($name, $owner, now(), now() + to_seconds($seconds::DOUBLE))
                   ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, acquired_at = excluded.acquired_at,
                                                    expires_at = excluded.expires_at""",
                {"name": name, "owner": owner, "seconds": float(seconds)},
            )
            row = self._holder(name) or {}
            return Lease(name, owner, row["expires_at"])

    def renew(self, lease: Lease, seconds: float = 60.0) -> Lease:
        """Hold a lease for longer.

        Raises:
            LeaseError: If another owner has taken it meanwhile.
        """
        with self.database.transaction() as connection:
            row = self._holder(lease.name)
            if row is None or row["owner"] != lease.owner:
                holder = "nobody" if row is None else row["owner"]
                raise LeaseError(
                    f"Lease {lease.name} must still be held by {lease.owner}; got {holder}.",
                    "Stop: another process has taken over.",
                )
            connection.execute(
                "UPDATE leases SET expires_at = now() + to_seconds($seconds::DOUBLE) WHERE name = $name",
                {"name": lease.name, "seconds": float(seconds)},
            )
            return Lease(lease.name, lease.owner, (self._holder(lease.name) or row)["expires_at"])

    def release_lease(self, lease: Lease) -> None:
        """Give a lease back; one that another owner has taken meanwhile stays theirs."""
        self._execute("DELETE FROM leases WHERE name = $name AND owner = $owner", name=lease.name, owner=lease.owner)

    def lease_owner(self, name: str) -> str:
        """Return who holds a lease that has not expired; empty where nobody does."""
        row = self._holder(name)
        return "" if row is None or row["is_expired"] else str(row["owner"])

    def leases(self) -> pd.DataFrame:
        """Return all leases: name, owner, acquired_at, expires_at, and is_free (expired, or its process is gone)."""
        frame = self._frame(
            "SELECT name, owner, acquired_at, expires_at, expires_at <= now() AS is_free FROM leases ORDER BY name"
        )
        return frame.assign(is_free=frame["is_free"].astype(bool) | frame["owner"].map(is_gone).astype(bool))

    def free_leases(self) -> list[str]:
        """Give back leases that expired or whose process is gone; returns their names."""
        with self.database.transaction():
            rows = self.leases()
            freed = rows[rows["is_free"]]
            for name, owner in zip(freed["name"], freed["owner"], strict=True):
                self._execute("DELETE FROM leases WHERE name = $name AND owner = $owner", name=name, owner=owner)
        return [str(name) for name in freed["name"]]

    def _holder(self, name: str) -> dict[str, Any] | None:
        return self._one(
            "SELECT owner, expires_at, expires_at <= now() AS is_expired FROM leases WHERE name = $name", name=name
        )


def held_by_another(what: str, holder: str, expires_at: datetime) -> LeaseError:
    """Return the error that says who holds what and until when."""
    return LeaseError(
        f"{what} must be free to be taken; it is held by {holder} until {expires_at:%Y-%m-%d %H:%M:%S} UTC.",
        "Wait for that process, or for the lease to expire.",
    )
