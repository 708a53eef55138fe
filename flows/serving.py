"""A whole Prefect server of our own, with pages and a scheduler, for `discovery deploy --serve`.

It is a child like the embedded one (`flows.runtime`) and ends with the command, however that ends. Its database stays
in `.prefect` beside the store, so that the next one shows the runs of the last.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from discovery.errors import ConfigurationError
from flows.runtime import ServerChild
from flows.server import HOST, listen

PORT = 4200
ANYWHERE = {"0.0.0.0": HOST, "::": "[::1]"}
"""Addresses that mean every address of this machine, and where this machine finds itself."""


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
            ConfigurationError: If the address is taken, or not one of this machine.
            DiscoveryError: If the child does not even come up.
        """
        port = _free(host, port)
        here = ANYWHERE.get(host, f"[{host}]" if ":" in host else host)
        child = cls.spawn(home, (host, str(port)), _settings(host, port))
        child.url = f"http://{here}:{port}/api"
        return child

    @property
    def ui_url(self) -> str:
        """Where its pages are."""
        return self.url.removesuffix("/api")


def _free(host: str, port: int) -> int:
    """Return a port that can be listened at."""
    try:
        with listen(host, port) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(
            f"--host and --port must be an address that is free here; got {host}:{port}: {error.strerror or error}.",
            "Choose another --port, or set PREFECT_API_URL to the server that runs there.",
        ) from None


OWN = {
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # The newer pages ask a tracking service for its settings each time that they are opened, also with analytics off.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    # Who holds the one place of a deployment is kept in files: in memory, a place that was held when the server was
    # killed would be held for good, and no further run of that campaign would start.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
"""Set where the user has not."""


def _settings(host: str, port: int) -> dict[str, str]:
    """Return the environment of the child."""
    return {
        **{name: os.environ.get(name, value) for name, value in OWN.items()},
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_API_URL": "/api",  # the pages ask whoever served them, under whatever name that was
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
