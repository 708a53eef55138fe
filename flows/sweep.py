"""The sweep: every few minutes it takes up what a wake-up missed, and lets Prefect know what a kill left behind.

It decides nothing. What it finds it finds in the store, so that it may be run at any time, twice at once, or by hand:
a second sweep does nothing. Next in the tour: `discovery.session.sweeping`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import prefect
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.logging import get_run_logger

from discovery.errors import counted
from discovery.ingest.arrivals import SETTLE_S
from discovery.session.sweeping import PROBLEM, Deed, guarded, open_all, tidy
from flows.artifacts import artifact_key
from flows.events import tell_events
from flows.missed import wake_where_due
from flows.runs import is_of, open_runs
from flows.steps import opened
from flows.stuck import end_dead_runs
from flows.wake import SWEEP

if TYPE_CHECKING:
    from discovery.store import Store


@flow(name="sweep", flow_run_name="sweep")
def sweep(files: list[str]) -> list[dict[str, str]]:
    """Look after campaigns: take in inboxes, end runs that nobody runs any more, wake whoever has something to do.

    Args:
        files: The campaign files.

    Returns:
        What was done and found: campaign, what, text.
    """
    deeds = sweep_once(files)
    for deed in deeds:
        get_run_logger().info("%s %s: %s", deed.campaign, deed.what, deed.text)
    rows = [asdict(deed) for deed in deeds]
    if any(deed.has_changed or deed.what == PROBLEM for deed in deeds):
        key = artifact_key(prefect.runtime.deployment.name or "", SWEEP)
        create_table_artifact(key=key, table=rows, description="What the last sweep that did something did and found.")
    return rows


def sweep_once(files: Sequence[str], settle_s: float = SETTLE_S) -> list[Deed]:
    """Do what a sweep does, inside a flow run or not; a server has to be named by `PREFECT_API_URL`.

    Args:
        files: The campaign files.
        settle_s: How long a file of an inbox must stay the same to count as written.

    Returns:
        What was done and found.
    """
    import httpx
    from prefect.client.orchestration import get_client

    campaigns, deeds = open_all(files, opened)
    try:
        with get_client(sync_client=True) as client:
            deeds += guarded("", end_dead_runs(client, campaigns))  # before the leases are freed that tell them apart
            deeds += tidy(list(campaigns.values()), settle_s)
            for store in {one.store.path: one.store for one in campaigns.values()}.values():
                deeds += guarded("", _tell(store))
            runs = open_runs(client)
            for file, one in campaigns.items():
                mine = [run for run in runs if is_of(run, Path(file).resolve())]
                deeds += guarded(one.name, wake_where_due(client, one, file, mine))
    except httpx.HTTPError as error:
        deeds += tidy(list(campaigns.values()), settle_s)  # what needs no server is done all the same
        deeds.append(Deed("", PROBLEM, f"The Prefect server must answer; got {type(error).__name__}: {error}."))
    return deeds


def _tell(store: Store) -> Iterator[Deed]:
    n_told = tell_events(store)
    if n_told:
        yield Deed("", "events", f"{counted(n_told, 'event')} told to Prefect.")
