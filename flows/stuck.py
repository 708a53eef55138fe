"""Ending the runs that a kill left behind: Prefect shows them as running, the store says that nobody is at work.

Next in the tour: `flows.runs`, where the rules are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from discovery.campaign import load_spec
from discovery.errors import DiscoveryError
from discovery.session.leases import lease_name
from discovery.session.sweeping import Deed
from discovery.store import Store
from flows.runs import RunView, called_by, end_run, holder_of, is_dead, is_of, open_runs

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

CONFIRM_S = 10.0  # between two looks at a run that seems to be dead


class Kept(Protocol):
    """A campaign in its store."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def store(self) -> Store:
        """Where it is kept."""


@dataclass(frozen=True)
class Named:
    """A campaign that need not be opened."""

    name: str
    store: Store


def stuck_in(store: Store) -> list[tuple[str, RunView]]:
    """Return the runs of a store's campaigns that nobody can be running any more, with the campaign's name."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return dead_runs(client, campaigns_with_runs(client, store))


def end_stuck_in(store: Store) -> list[Deed]:
    """Mark them as crashed."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return list(end_dead_runs(client, campaigns_with_runs(client, store)))


def campaigns_with_runs(client: SyncPrefectClient, store: Store) -> dict[str, Kept]:
    """Return the campaigns of a store that have open runs, by the files that these were started with."""
    found: dict[str, Kept] = {}
    for file in sorted({run.file for run in open_runs(client) if run.file}):
        try:
            spec = load_spec(Path(file))
        except DiscoveryError:  # of another folder or another machine
            continue
        if Store.of(spec).path == store.path:
            found[file] = Named(spec.name, store)
    return found


def dead_runs(client: SyncPrefectClient, campaigns: Mapping[str, Kept]) -> list[tuple[str, RunView]]:
    """Return the runs of some campaigns that nobody can be running any more, with the campaign's name."""
    runs, now = open_runs(client), datetime.now(UTC)
    found = []
    for file, one in campaigns.items():
        mine = [run for run in runs if is_of(run, Path(file).resolve())]
        holder = holder_of(one.store.leases(), lease_name(one.name))
        roots = [run for run in mine if not run.is_child]
        dead = [run for run in roots if is_dead(run, holder, now)]
        alive = called_by(client, (run.run_id for run in roots if run not in dead))
        orphans = [run for run in mine if run.is_child and run.run_id not in alive and run.state != "SCHEDULED"]
        found += [(one.name, run) for run in [*dead, *orphans]]
    return found


def end_dead_runs(client: SyncPrefectClient, campaigns: Mapping[str, Kept]) -> Iterator[Deed]:
    """Mark runs as crashed that nobody can be running any more.

    A second look makes sure that they are not just ending.

    Args:
        client: The server.
        campaigns: The campaigns by their files.

    Yields:
        What was done.
    """
    suspects = dead_runs(client, campaigns)
    if not suspects:
        return
    time.sleep(CONFIRM_S)
    seen = {run.run_id: run for _, run in suspects}
    for campaign, run in dead_runs(client, campaigns):
        why = f"Nobody runs {campaign} any more: its process was killed. What it recorded is in the store."
        if seen.get(run.run_id) == run and end_run(client, run, why):
            text = f"The {run.flow} run {run.run_id} was {run.state.lower()} for nobody; it is marked as crashed."
            yield Deed(campaign, "crashed", text)
