"""The one place that opens DuckDB: late, for one transaction, closed early, with patience where another holds the file.

While one process holds a DuckDB file for writing no other can open it, even to read. So nobody keeps it open: a
transaction opens the file, brings its schema up to date, runs, commits and closes. Whoever comes meanwhile tries again
with jittered pauses until `wait_s` have passed. Next in the tour: `discovery.store.schema`.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom

import duckdb

from discovery.errors import ConfigurationError, StoreError, StoreLockedError
from discovery.store.schema import migrate
from discovery.store.sql import first_line

SCHEME = "duckdb:///"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
LOCK_SIGNS = ("Could not set lock", "used by another process", "different configuration")
logger = logging.getLogger(__name__)
_jitter = SystemRandom()
_guard = threading.Lock()
_locks: dict[Path, threading.RLock] = {}
_held = threading.local()


def store_path(url: str | os.PathLike[str], base_dir: str | os.PathLike[str] = "") -> Path:
    """Turn `duckdb:///lab.duckdb` (four slashes for an absolute path) or a plain path into an absolute path.

    Args:
        url: The URL or path.
        base_dir: Folder that relative paths start from; default the working directory.

    Raises:
        ConfigurationError: If the URL has another scheme, no file name, or means a database in memory.
    """
    text = os.fspath(url)
    name = text.removeprefix(SCHEME)
    if not name or "://" in name or name == ":memory:" or name.startswith("duckdb:"):
        raise ConfigurationError(
            f"store must be a file path or duckdb:///FILE; got {text!r}.", "Write for example duckdb:///lab.duckdb."
        )
    return (Path(base_dir) / Path(name).expanduser()).resolve()


class Database:
    """One DuckDB file and how it is opened; holds no connection between transactions, so it pickles.

    Args:
        path: The file; made on first use.
        wait_s: How long to wait while another process or thread holds it.
    """

    def __init__(self, path: Path, wait_s: float = 30.0) -> None:
        self.path = path
        self.wait_s = wait_s

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open, run the body in one transaction, commit and close; inside another transaction, join it.

        Yields:
            A connection whose time zone is UTC.

        Raises:
            StoreLockedError: If another process or thread holds the file for longer than `wait_s`.
            StoreError: If the file is corrupt, too new, no store, or DuckDB refuses the operation; nothing is changed.
        """
        connections = _connections()
        if self.path in connections:
            yield connections[self.path]
            return
        with self.opened() as connection:
            connections[self.path] = connection
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
            finally:
                del connections[self.path]

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, bring its schema up to date and close it; for what cannot run inside a transaction.

        Yields:
            A connection whose time zone is UTC.

        Raises:
            StoreLockedError: If another process or thread holds the file for longer than `wait_s`.
            StoreError: If the file is corrupt, too new, no store, or DuckDB refuses the operation.
        """
        asked = time.monotonic()
        with self._alone() as deadline:
            connection = self._connect(deadline)
            got = time.monotonic()
            try:
                migrate(connection, self.path)
                yield connection
            except duckdb.Error as error:
                raise StoreError(f"The store {self.path} refused the operation: {first_line(error)}.") from error
            finally:
                connection.close()
                logger.debug("waited %.4f s, held %.4f s: %s", got - asked, time.monotonic() - got, self.path)

    @contextmanager
    def _alone(self) -> Iterator[float]:
        """Keep other threads of this process out; yields the moment at which patience ends."""
        deadline = time.monotonic() + self.wait_s
        with _guard:
            lock = _locks.setdefault(self.path, threading.RLock())
        if not lock.acquire(timeout=self.wait_s):
            raise self._locked("another thread of this process")
        try:
            yield deadline
        finally:
            lock.release()

    def _connect(self, deadline: float) -> duckdb.DuckDBPyConnection:
        make_folder(self.path.parent)
        pause = FIRST_PAUSE_S
        while True:
            try:
                connection = duckdb.connect(str(self.path))
                connection.execute("SET TimeZone = 'UTC'")
                return connection
            except duckdb.Error as error:
                text = str(error)
                if not any(sign in text for sign in LOCK_SIGNS):
                    raise self._unreadable(error) from error
                if time.monotonic() + pause > deadline:
                    raise self._locked(_holder(text)) from error
            time.sleep(pause * _jitter.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _locked(self, holder: str) -> StoreLockedError:
        return StoreLockedError(
            f"The store {self.path} must be free to be opened; it was held by {holder} for {self.wait_s:g} s.",
            "Close that process or wait for it, then try again.",
        )

    def _unreadable(self, error: duckdb.Error) -> StoreError:
        is_empty = self.path.is_file() and self.path.stat().st_size == 0
        return StoreError(
            f"The store {self.path} must be a readable DuckDB file; got: {first_line(error)}.",
            "The file is empty: delete it." if is_empty else "Restore it from a backup, or name another file.",
        )


def make_folder(folder: Path) -> None:
    """Make a folder that files of the store go into.

    Raises:
        StoreError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} must be one that can be made; got: {error.strerror}.") from error


def _connections() -> dict[Path, duckdb.DuckDBPyConnection]:
    """Return the connections that this thread holds open, by file."""
    if not hasattr(_held, "connections"):
        _held.connections = {}
    connections: dict[Path, duckdb.DuckDBPyConnection] = _held.connections
    return connections


def _holder(text: str) -> str:
    """Find who holds the lock in DuckDB's message."""
    if "different configuration" in text:
        return "another connection of this process"
    found = re.search(r"PID (\d+)", text)
    return f"process {found[1]}" if found else "another process"
