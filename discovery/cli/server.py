"""Telling a Prefect server what a command has changed, so that what waits for it goes on at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discovery.store import Store


def tell_server(store: Store) -> None:
    """Tell the server that `PREFECT_API_URL` names what has happened; without one nothing is done, and nothing lost."""
    if not os.environ.get("PREFECT_API_URL"):
        return
    from flows.runtime import prefect_runtime

    with prefect_runtime(store.path.parent):
        from flows.events import tell_events

        tell_events(store)
