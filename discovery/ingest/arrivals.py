"""Which tables lie in a folder, and which of them have been written to their end.

Nobody says when a file is complete. One that keeps its size and its time of change for a while is; whoever can, writes
under a hidden or `.part` name and renames. Next in the tour: `discovery.ingest.readers`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from discovery.ingest.readers import READERS

SETTLE_S = 5.0  # a file that has not changed for so long has been written to its end
UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart")
HIDDEN = (".", "~$")  # the second is what spreadsheets put beside an open file

Stamp = tuple[int, int]


class Settling:
    """What is remembered of files between two looks: one that stays the same for a while has been written to its end.

    Times are this machine's own, so that the folder may lie on another one.

    Args:
        settle_s: How long a file must stay the same.
    """

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self.settle_s = settle_s
        self._seen: dict[Path, tuple[Stamp, float]] = {}

    def settled(self, folder: Path) -> list[Path]:
        """Look at a folder and return the tables in it that have settled, oldest first; empty ones never do."""
        now = time.monotonic()
        found = dict(_stamps(folder))
        for path in [path for path in self._seen if path.parent == folder and path not in found]:
            del self._seen[path]
        for path, stamp in found.items():
            if path not in self._seen or self._seen[path][0] != stamp:
                self._seen[path] = (stamp, now)
        ready = [path for path, (size, _) in found.items() if size and now - self._seen[path][1] >= self.settle_s]
        return sorted(ready, key=lambda path: (found[path][1], path.name))

    def wait(self, folders: list[Path]) -> None:
        """Look, and where a table has not settled yet give it the time to."""
        if any(set(tables_in(folder)) - set(self.settled(folder)) for folder in folders):
            time.sleep(self.settle_s)


def tables_in(folder: Path) -> list[Path]:
    """Return the tables that lie in a folder, finished or not: not hidden, and of a type that can be read."""
    return sorted(path for path, _ in _stamps(folder))


def strangers_in(folder: Path) -> list[Path]:
    """Return files in a folder that are no table of a type that can be read, nor one that is being written."""
    known = (*READERS, *UNFINISHED)
    return sorted(path for path in _files(folder) if path.suffix.lower() not in known)


def _stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Return the tables in a folder with their size and time of change."""
    for path in _files(folder):
        if path.suffix.lower() in READERS:
            try:
                status = path.stat()
            except OSError:  # moved by somebody else meanwhile
                continue
            yield path, (status.st_size, status.st_mtime_ns)


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(HIDDEN)]
    except OSError:  # a share that is away for the moment
        return []
