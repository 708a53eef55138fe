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
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from discovery.errors import DiscoveryError
from flows.server import HOST

if TYPE_CHECKING:
    from httpx import HTTPError

START_LIMIT_S = 180.0
PAUSE_S = 0.1
REFUSED = (401, 403)

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


def configure(folder: Path, *, is_verbose: bool = False) -> None:
    """Set Prefect's environment, before Prefect is imported; what the user has set stays.

    Args:
        folder: Home of an embedded server. With a server of the user's, the user's own home is left in use, and the
            logs of runs go to its pages.
        is_verbose: Whether flows log to the terminal.
    """
    shown = "INFO" if is_verbose else "CRITICAL"
    if os.environ.get("PREFECT_API_URL"):
        told = {"PREFECT_LOGGING_TO_API_ENABLED": "true", "PREFECT_LOGGING_LEVEL": "INFO"}
        chosen = {**QUIET, **told, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": shown}
    else:
        chosen = {**QUIET, "PREFECT_HOME": str(folder), "PREFECT_LOGGING_LEVEL": shown}
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
        DiscoveryError: If the server does not answer, or does not let us in.
    """
    configure(folder / ".prefect", is_verbose=is_verbose)
    if os.environ.get("PREFECT_API_URL"):
        with named_server():
            check_server()
            yield
        return
    own = server or EmbeddedServer.start(Path(os.environ["PREFECT_HOME"]))
    try:
        own.wait()
        # Heartbeats tell a server that watches over crashed runs. This one lives no longer than its runs, and ending
        # the thread that sends them costs a second per flow run.
        with _settings(
            PREFECT_API_URL=own.url,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY=None,
            PREFECT_LOGGING_TO_API_ENABLED=os.environ["PREFECT_LOGGING_TO_API_ENABLED"],
        ):
            yield
    finally:
        own.stop()


def named_server() -> AbstractContextManager[object]:
    """Let Prefect, which may be loaded already, speak to the server that the environment names."""
    names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")
    return _settings(**{name: os.environ[name] for name in names if os.environ.get(name)})


def _settings(**values: str | None) -> AbstractContextManager[object]:
    """Set settings of Prefect by their names while a body runs."""
    from prefect import settings

    changed: AbstractContextManager[object] = settings.temporary_settings(
        {getattr(settings, name): value for name, value in values.items()}
    )
    return changed


def check_server() -> None:
    """Ask the server of `PREFECT_API_URL` whether it is there and lets us in.

    Raises:
        DiscoveryError: If it does not answer, or does not let us in.
    """
    from httpx import HTTPError, HTTPStatusError
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            client.api_version()
    except HTTPStatusError as error:
        if error.response.status_code in REFUSED:  # Prefect Cloud has no such page, and answers
            raise server_fault(error) from None
    except HTTPError as error:
        raise server_fault(error) from None


def server_fault(error: HTTPError) -> DiscoveryError:
    """Turn what went wrong between us and a Prefect server into a sentence, without any secret in it."""
    from httpx import HTTPStatusError

    where = f"The Prefect server at {bare_url(os.environ.get('PREFECT_API_URL', ''))} must"
    if not isinstance(error, HTTPStatusError):
        return DiscoveryError(
            f"{where} answer; got {str(error).rstrip('.') or type(error).__name__}.",
            "Start it, set PREFECT_API_URL to where it is, or unset it to do without.",
        )
    status = error.response.status_code
    if status in REFUSED:
        return DiscoveryError(
            f"{where} let us in; it answered {status} {error.response.reason_phrase}.",
            "Set PREFECT_API_AUTH_STRING to what the server has as PREFECT_SERVER_API_AUTH_STRING.",
        )
    return DiscoveryError(f"{where} take what it is told; it answered {status}: {error.response.text[:300]}")


def bare_url(url: str) -> str:
    """Return an address without the name and password that may stand in it.

    Example:
        >>> bare_url("http://admin:secret@lab:4200/api")
        'http://lab:4200/api'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _no_answer(what: str, log: Path) -> DiscoveryError:
    lines = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
    return DiscoveryError(
        f"The Prefect server of this command must have {what}; its last words in {log}: {lines[-1]}.",
        "Try again, or set PREFECT_API_URL to a server that runs.",
    )
