"""Telling Prefect what happened: the outbox is sent as events, and what waits for them is woken.

An event counts as told when the server has accepted it. It travels under its key, so that one that was told twice,
because a process died in between, is the same event. Without a server nothing is told and nothing is lost.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from discovery.session.happenings import PROPOSALS_DECIDED, RESULTS_INGESTED, REVIEW_WAITING
from discovery.session.leases import lease_name
from flows.wake import CAMPAIGN, DECIDE, wake

if TYPE_CHECKING:
    import pandas as pd
    from prefect.events.schemas.events import Event

    from discovery.store import Store

AT_ONCE = 100  # events in one request
WOKEN_BY = {RESULTS_INGESTED: CAMPAIGN, PROPOSALS_DECIDED: CAMPAIGN, REVIEW_WAITING: DECIDE}
"""Which flow has something to do after which event."""

log = logging.getLogger(__name__)


def tell_events(store: Store) -> int:
    """Tell Prefect what no one has been told yet, and wake the deployments that wait for it.

    A server that does not answer is no fault of the campaign: what was not told stays for the next time.

    Args:
        store: Whose outbox is told.

    Returns:
        Number of events that the server accepted; 0 where no server is named.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return 0
    rows = store.unsent_events()
    if rows.empty:
        return 0
    import httpx

    n_told = 0
    try:
        for start in range(0, len(rows), AT_ONCE):
            told = rows.iloc[start : start + AT_ONCE]
            _send([as_event(row) for _, row in told.iterrows()])
            store.mark_sent(told["event_key"].tolist())
            n_told += len(told)
        for campaign, flow, key, owner in wanted(rows):
            is_its_own = flow == CAMPAIGN and bool(owner) and store.lease_owner(lease_name(campaign)) == owner
            if not is_its_own:
                wake(campaign, flow=flow, key=key)
    except httpx.HTTPError as error:
        log.warning("The Prefect server must accept events; got %s. They are told the next time.", error)
    return n_told


def as_event(row: pd.Series) -> Event:
    """Return a row of the outbox as an event of Prefect, at the time when it happened."""
    from prefect.events.schemas.events import Event, RelatedResource
    from prefect.runtime import flow_run

    name = str(row["campaign"])
    related = (
        [{"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.role": "flow-run"}]
        if flow_run.id
        else []
    )
    return Event(
        id=UUID(str(row["event_key"])),
        event=str(row["name"]),
        occurred=row["created_at"].to_pydatetime(),
        resource={"prefect.resource.id": f"discovery.campaign.{name}", "prefect.resource.name": name},
        related=[RelatedResource(item) for item in related],
        payload={"campaign": name, **json.loads(row["payload"])},
    )


def wanted(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Say which deployments events wake: campaign, flow, and key and owner of the last event that asks for it.

    Whoever runs a campaign and wrote the event itself need not be woken, whoever tells it: campaigns of one store tell
    each other's events.
    """
    rows = rows.assign(flow=rows["name"].map(WOKEN_BY)).dropna(subset=["flow"])
    for _, row in rows.drop_duplicates(["campaign", "flow"], keep="last").iterrows():
        yield row["campaign"], row["flow"], row["event_key"], row["owner"]


def _send(events: list[Event]) -> None:
    """Hand events to the server and wait until it has them."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event.model_dump(mode="json") for event in events])
