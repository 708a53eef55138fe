"""Waking whoever a wake-up missed: campaigns with something to do and no run, people whose form is not open.

At most one run is made for one state of a campaign, so that a sweep never wakes anybody twice for the same; after a
failure it tries again, at longer and longer intervals. Next in the tour: `discovery.session.due`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from discovery.errors import counted
from discovery.session.due import CampaignFacts, Due, read_facts, what_is_due
from discovery.session.sweeping import DUE, PROBLEM, WAITS, Deed
from flows.runs import RunView, is_known, last_runs, pause_s, shows_form
from flows.wake import CAMPAIGN, DECIDE, wake

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from discovery.session import Campaign


def wake_where_due(client: SyncPrefectClient, one: Campaign, file: str, runs: Sequence[RunView]) -> Iterator[Deed]:
    """Wake the deployments of a campaign that have something to do and no run.

    Args:
        client: The server.
        one: The campaign.
        file: Its file as it was deployed.
        runs: Its runs that have not ended.

    Yields:
        What was done and found.
    """
    facts = read_facts(one)
    if facts.is_stuck:
        text = f"{facts.n_failed} trials failed in a row. The last said: {facts.last_error}"
        yield Deed(one.name, PROBLEM, f"{text} Go on: discovery run {file}")
    n_late = sum(run.is_late for run in runs)
    if n_late:
        yield Deed(one.name, WAITS, f"{counted(n_late, 'run')} waits for a worker. Start one: discovery deploy {file}")
    due = what_is_due(facts)
    asked = [item for item in due if item.is_for_people]
    if asked and facts.waiting_since and not any(shows_form(run, facts.waiting_since) for run in runs):
        yield from _wake(client, one, DECIDE, facts, asked)
    open_ones = [run for run in runs if run.flow == CAMPAIGN]
    rest = [item for item in due if not item.is_for_people]
    if rest and not facts.runner and not open_ones:
        yield from _wake(client, one, CAMPAIGN, facts, rest)


def _wake(
    client: SyncPrefectClient, one: Campaign, flow_name: str, facts: CampaignFacts, due: Sequence[Due]
) -> Iterator[Deed]:
    """Wake one deployment, unless it was woken for the same already or failed too often just now."""
    why = "; ".join(item.text for item in due)
    ended = last_runs(client, one.name, flow_name)
    pause = pause_s([state for _, state, _ in ended])
    if ended and pause > (datetime.now(UTC) - ended[0][2]).total_seconds():
        text = f"The last runs of {flow_name} failed; the next one comes within {pause / 60:.0f} min."
        yield Deed(one.name, WAITS, text)
        return
    key = wake_key(one.name, flow_name, facts, due, ended)
    if is_known(client, key):
        return
    if wake(one.name, flow=flow_name, key=key):
        yield Deed(one.name, "woken", f"{flow_name} was woken: {why}.")
    else:
        yield Deed(one.name, DUE, f"{why[0].upper()}{why[1:]}; nothing is deployed that would do it.")


def wake_key(
    campaign: str, flow_name: str, facts: CampaignFacts, due: Sequence[Due], ended: Sequence[tuple[str, str, datetime]]
) -> str:
    """Return the key under which at most one run is made: for one state of a campaign, after the last failure.

    A laboratory is asked after in every sweep, whatever the state.
    """
    after = next((run_id for run_id, state, _ in ended[:1] if state != "COMPLETED"), "")
    asked = ended[0][0] if ended and any(item.what == "poll" for item in due) else ""
    parts = ("sweep", flow_name, campaign, facts.signature, facts.waiting_since or "", after, asked)
    return json.dumps([str(part) for part in parts])
