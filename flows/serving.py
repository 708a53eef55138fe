"""Running deployments oneself: a whole Prefect server of our own where there is none, and a runner of their runs.

The server is a child like the embedded one (`flows.runtime`), with pages and a scheduler, and ends with the command,
however that ends. Its database stays in `.prefect` beside the store, so that the next one shows the runs of the last.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

from discovery.errors import ConfigurationError
from flows.runtime import ServerChild, check_server, configure, named_server
from flows.server import HOST, listen
from flows.wake import SWEEP

PORT = 4200
POLL_S = 2.0  # between two looks for runs that are due; Prefect's own ten leave places empty as long as a run takes
ANYWHERE = {"0.0.0.0": HOST, "::": "::1"}
"""Addresses that mean every address of this machine, and where this machine finds itself."""

OWN = {
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # The newer pages ask a tracking service for its settings each time that they are opened, also with analytics off.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    # Who holds the one place of a deployment is kept in files: from memory it is forgotten when the server is killed,
    # and the place stays taken until somebody ends the run that held it.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
"""Set where the user has not."""


class FullServer(ServerChild):
    """The API with pages, scheduler and events."""

    @classmethod
    def start(cls, home: Path, host: str = HOST, port: int = PORT) -> Self:
        """Start it and return at once; `wait` until it answers.

        Args:
            home: Folder of its database and its log.
            host: Address to listen at; `0.0.0.0` for every one of this machine.
            port: Port to listen at; 0 for any that is free.

        Raises:
            ConfigurationError: If the address is taken, not one of this machine, or open to others without a password.
            DiscoveryError: If the child does not even come up.
        """
        _check_open(host)
        port = _free(host, port)
        here = ANYWHERE.get(host, host)
        origin = f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
        child = cls.spawn(home, (host, str(port)), _settings(host, port, origin))
        child.url = f"{origin}/api"
        return child

    @property
    def ui_url(self) -> str:
        """Where its pages are."""
        return self.url.removesuffix("/api")


@contextmanager
def serving(folder: Path, host: str = HOST, port: int = PORT) -> Iterator[None]:
    """Make Prefect ready for a process that runs deployments, with a server of our own where none is named.

    Args:
        folder: Where `.prefect` lies, unless `PREFECT_HOME` says otherwise: the folder of the store.
        host: Address that a server of our own listens at.
        port: Port that a server of our own listens at.

    Raises:
        ConfigurationError: If the address cannot be used.
        DiscoveryError: If the server does not come up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's end is like Ctrl-C: in order
    os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "true")  # the logs of a run belong on its page
    configure(folder / ".prefect", is_verbose=True)
    if os.environ.get("PREFECT_API_URL"):
        with named_server():
            check_server()
            yield
        return
    if os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", os.environ["PREFECT_SERVER_API_AUTH_STRING"])
    server = FullServer.start(Path(os.environ["PREFECT_HOME"]), host, port)
    try:
        server.wait()
        os.environ["PREFECT_API_URL"] = server.url  # for the runs, too, which are processes of their own
        with named_server():
            yield
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        server.stop()


def run_deployments(deployments: Sequence[tuple[str, UUID]], limit: int) -> None:
    """Run deployments until this process is told to end; each run is a process of its own.

    Args:
        deployments: Name and id of each.
        limit: How many may run at once.

    Raises:
        KeyboardInterrupt: When it was told to end, by Ctrl-C or by a service manager.
    """
    from prefect.client.orchestration import get_client
    from prefect.runner import Runner

    _find_flows()
    poll_s = float(os.environ.get("PREFECT_RUNNER_POLL_FREQUENCY", POLL_S))
    runner = Runner(name="discovery", limit=limit, query_seconds=poll_s, pause_on_shutdown=False)

    async def run() -> None:
        loop, running = asyncio.get_running_loop(), asyncio.current_task()
        assert running is not None
        runner.handle_sigterm = lambda *_: loop.call_soon_threadsafe(running.cancel)  # its own waits for nothing
        for name, deployment_id in deployments:
            await runner.aadd_deployment(_Known(name, deployment_id))
        async with get_client() as client:  # what was cut off, or arrived while nobody ran them, is taken up at once
            for sweep in [deployment_id for name, deployment_id in deployments if name.startswith(f"{SWEEP}/")]:
                await client.create_flow_run_from_deployment(sweep)
        await runner.start()

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@dataclass(frozen=True)
class _Known:
    """A deployment that the server has already: what a runner asks of one, without telling the server again."""

    name: str
    deployment_id: UUID
    storage: None = None

    async def aapply(self) -> UUID:
        """Return its id."""
        return self.deployment_id


def _find_flows() -> None:
    """Let the processes of runs find this package, installed or not, and not a folder `flows` where the user is."""
    root = str(Path(__file__).parents[1])
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (root, before) if part)
    os.environ["PYTHONSAFEPATH"] = "1"


def _check_open(host: str) -> None:
    """Refuse an address that others can reach while no password is set.

    Raises:
        ConfigurationError: If it is one.
    """
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if not is_here and not os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        raise ConfigurationError(
            f"--host must be an address of this machine alone, or come with a password; got {host}: whoever reaches "
            f"the server could run programs here.",
            "Set PREFECT_SERVER_API_AUTH_STRING to NAME:PASSWORD.",
        )


def _free(host: str, port: int) -> int:
    """Return a port that can be listened at."""
    try:
        with listen(host, port) as listener:
            return int(listener.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"--host and --port must be an address that is free here; got {host}:{port}: "
            f"{getattr(error, 'strerror', None) or error}.",
            "Choose another --port, or set PREFECT_API_URL to the server that runs there.",
        ) from None


def _settings(host: str, port: int, origin: str) -> dict[str, str]:
    """Return the environment of the child."""
    return {
        **{name: os.environ.get(name, value) for name, value in OWN.items()},
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_API_URL": "/api",  # the pages ask whoever served them, under whatever name that was
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origin,  # no page of the web may ask it from this machine's browser
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
