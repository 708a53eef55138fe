"""Runs one program beside everything else: it outlives whoever asked for it, keeps the time, and writes how it ended.

Started by `discovery.experiments.command` as a file of its own, so it needs the standard library only and starts in
some hundredths of a second. Whoever comes after a crash finds in the folder whether the program runs (the lock is
held), how it ended (`ended.json`), or that both were killed (neither).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

CALL, STARTED, ENDED, LOCK = "call.json", "started.json", "ended.json", "lock"
STDOUT, STDERR = "stdout.txt", "stderr.txt"
GRACE_S = 5.0  # between asking the programs of a group to end and ending them


def main(folder: Path, lock: int) -> None:
    """Go into the background, run the program of `call.json` and write `ended.json`.

    Args:
        folder: The trial's folder.
        lock: Descriptor of its locked file; the program inherits it, so that it stays locked while either lives.
    """
    if os.fork():
        os._exit(0)  # whoever asked goes on; nobody has to wait for this process
    call = json.loads((folder / CALL).read_text(encoding="utf-8"))
    write(folder / ENDED, run(folder, call["words"], call["cwd"], call["timeout_s"], lock))


def run(folder: Path, words: list[str], cwd: str, timeout_s: float | None, lock: int) -> dict[str, object]:
    """Run a program in a process group of its own and end that group when its time is over.

    Args:
        folder: Where its output goes.
        words: The program and its arguments.
        cwd: Where it is run.
        timeout_s: How long it may take, seconds; None for as long as it takes.
        lock: Descriptor that it inherits.

    Returns:
        `exit_code` (negative: the signal that ended it), `is_timeout`, and `error` where it could not be started.
    """
    with (folder / STDOUT).open("wb") as out, (folder / STDERR).open("wb") as err:
        write(folder / STARTED, {"supervisor": os.getpid()})
        try:
            program = subprocess.Popen(
                words,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=(lock,),
            )
        except OSError as error:
            return {"exit_code": None, "is_timeout": False, "error": f"{error.strerror}: {words[0]}"}
        try:
            return {"exit_code": program.wait(timeout_s), "is_timeout": False, "error": ""}
        except subprocess.TimeoutExpired:
            end_group(program)
            return {"exit_code": program.wait(), "is_timeout": True, "error": ""}


def end_group(program: subprocess.Popen[bytes]) -> None:
    """End a program and everything that it has started: asked first, killed after a while."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


def write(path: Path, record: dict[str, object]) -> None:
    """Write a small JSON file whole or not at all, also where the machine dies."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
