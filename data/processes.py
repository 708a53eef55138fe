"""What processes of this machine have used, read from `/proc`: for load tests, on Linux."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """What a process has used.

    Attributes:
        cpu_s: Its own processor time.
        children_s: That of its children that have ended, and of theirs.
        peak_mb: Its peak memory, MB.
    """

    cpu_s: float
    children_s: float
    peak_mb: float


@dataclass(frozen=True)
class Child:
    """A child of a process.

    Attributes:
        pid: Its number.
        command: Its command line.
    """

    pid: int
    command: str


def usage(pid: int) -> Usage:
    """Return what a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    user, system, child_user, child_system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15])
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return Usage(user + system, child_user + child_system, peak_kb / 1024)


def children(pid: int) -> list[Child]:
    """Return the children of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.append(Child(int(child), command))
    return found
