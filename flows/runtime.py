"""Prefect made ready for one command: the user's server where `PREFECT_API_URL` names one, else one of our own.

The embedded server is a child on this machine with its database in `.prefect` beside the store. It needs no account
and no network, sends no telemetry, and ends with the command. What the user has set in the environment stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from discovery.errors import DiscoveryError
from flows.server import HOST

START_LIMIT_S = 180.0
PAUSE_S = 0.1

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": f"{START_LIMIT_S:.0f}",
}
"""Set where the user has not: no telemetry, no version check, logs in the terminal only."""

CHILD = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}
"""What the embedded server needs beside that: no scheduler, no pages."""


@dataclass
class ServerChild:
    """A Prefect server that runs as a child of this process.

    Attributes:
        process: The child; it ends when its standard input closes, which happens when this process ends.
        url: Where the API is.
        log: What the child had to say.
    """

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @classmethod
    def spawn(cls, home: Path, words: Sequence[str], settings: Mapping[str, str]) -> Self:
        """Start the child and return at once; `wait` until it answers.

        Args:
            home: Folder of its database and its log.
            words: Arguments of `python -m flows.server`.
            settings: Environment variables beside those of this process.

        Raises:
            DiscoveryError: If the child does not even come up.
        """
        home.mkdir(parents=True, exist_ok=True)
        log = home / "server.log"
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        with log.open("wb") as errors:
            process = subprocess.Popen(
                # -P: a folder `flows` where the user is must not hide ours
                [sys.executable, "-P", "-m", "flows.server", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**QUIET, **environment, **settings, "PREFECT_HOME": str(home)},
                start_new_session=True,  # Ctrl-C is for the command, which still has to say that its flow has ended
            )
        assert process.stdout is not None
        port = process.stdout.readline().strip().decode()
        if not port:
            raise _no_answer("came up", log)
        return cls(process, f"http://{HOST}:{port}/api", log)

    def wait(self, limit_s: float = START_LIMIT_S) -> None:
        """Wait until the API answers.

        Raises:
            DiscoveryError: If it ends, or does not answer in time.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(PAUSE_S)
        self.stop()
        raise _no_answer(f"answered within {limit_s:.0f} s", self.log)

    def stop(self) -> None:
        """End the child."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class EmbeddedServer(ServerChild):
    """The API alone, on a free port: what one command needs to run flows."""

    @classmethod
    def start(cls, home: Path) -> Self:
        """Start it and return at once; `wait` until it answers.

        Args:
            home: Folder of its database and its log.

        Raises:
            DiscoveryError: If the child does not even come up.
        """
        return cls.spawn(home, (), CHILD)


def configure(home: Path, *, is_verbose: bool = False) -> None:
    """Set Prefect's environment, before Prefect is imported; what the user has set stays."""
    level = "INFO" if is_verbose else "CRITICAL"
    chosen = {**QUIET, "PREFECT_HOME": str(home), "PREFECT_LOGGING_LEVEL": level}
    for name, value in chosen.items():
        os.environ.setdefault(name, value)


@contextmanager
def prefect_runtime(folder: Path, *, is_verbose: bool = False, server: EmbeddedServer | None = None) -> Iterator[None]:
    """Make Prefect ready while the body runs; flows are imported inside.

    Args:
        folder: Where `.prefect` lies, unless `PREFECT_HOME` says otherwise: the folder of the store.
        is_verbose: Whether flows log to the terminal.
        server: An embedded server that was started earlier, to save time; it is ended with the body.

    Raises:
        DiscoveryError: If the embedded server does not answer.
    """
    configure(folder / ".prefect", is_verbose=is_verbose)
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    own = server or EmbeddedServer.start(Path(os.environ["PREFECT_HOME"]))
    try:
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            PREFECT_LOGGING_TO_API_ENABLED,
            temporary_settings,
        )

        own.wait()
        to_api = os.environ["PREFECT_LOGGING_TO_API_ENABLED"]
        # Heartbeats tell a server that watches over crashed runs. This one lives no longer than its runs, and ending
        # the thread that sends them costs a second per flow run.
        with temporary_settings(
            {
                PREFECT_API_URL: own.url,
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                PREFECT_LOGGING_TO_API_ENABLED: to_api,
            }
        ):
            yield
    finally:
        own.stop()


def _no_answer(what: str, log: Path) -> DiscoveryError:
    lines = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
    return DiscoveryError(
        f"The Prefect server of this command must have {what}; its last words in {log}: {lines[-1]}.",
        "Try again, or set PREFECT_API_URL to a server that runs.",
    )
