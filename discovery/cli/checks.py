"""What `doctor` looks at in a store: who was cut off, what waits to be taken up, what lacks something."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from discovery.errors import DiscoveryError, counted

if TYPE_CHECKING:
    from discovery.session import Campaign
    from discovery.session.sweeping import Deed
    from discovery.store import Store

REPAIR = "discovery doctor --repair"  # `doctor` puts in which store is meant
MODELS = "models"
SHOWN = 5  # names that a finding lists


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        is_fine: Whether it is as it should be.
        text: What was found.
        command: What to do about it; empty where there is nothing to do.
        is_repaired: Whether it was wrong and has just been repaired.
    """

    check: str
    is_fine: bool
    text: str
    command: str = ""
    is_repaired: bool = False


def check_everything(store: Store, file: Path | None) -> Iterator[Finding]:
    """Check a store and the campaigns in it that go on.

    Args:
        store: The store.
        file: A campaign file that was named, for commands; None where none was.
    """
    yield Finding("store", True, f"{store.path} opens, {counted(len(store.campaigns()), 'campaign')}.")
    for name, check in STORE_CHECKS.items():
        yield from _safely(name, check(store))
    campaigns, faults = open_campaigns(store)
    yield from faults
    for one in campaigns:
        yield from _safely(one.name, check_campaign(one, _file_of(one, file)))


def repair_everything(store: Store) -> list[Finding]:
    """Repair what is safe: nothing is decided, and no experiment carried out.

    Inboxes are taken in, proposals go stale, leases of dead owners are freed, events are told, and flow runs that
    nobody runs any more are marked as crashed.
    """
    from discovery.ingest import arrivals
    from discovery.session.sweeping import PROBLEM, guarded, tidy

    campaigns, _ = open_campaigns(store)
    deeds = [*guarded("", _end(store)), *tidy(campaigns, arrivals.SETTLE_S), *guarded("", _tell(store))]
    return [
        Finding(deed.what, deed.what != PROBLEM, _about(deed.campaign, deed.text), is_repaired=deed.what != PROBLEM)
        for deed in deeds
    ]


def open_campaigns(store: Store) -> tuple[list[Campaign], list[Finding]]:
    """Open the campaigns of a store that go on, or that results may still come for, from what it knows of them."""
    from discovery.campaign import CampaignSpec
    from discovery.lifecycle import CampaignStatus
    from discovery.session import Campaign

    found, faults = [], []
    for name in store.campaigns()["campaign"]:
        row = store.campaign(name)
        try:
            spec = CampaignSpec.from_json(row.spec_json, row.base_dir)
            if row.status == CampaignStatus.ACTIVE or spec.inbox is not None:
                found.append(Campaign(spec, store))
        except DiscoveryError as error:
            faults.append(Finding(str(name), False, str(error)))
    return found, faults


def check_leases(store: Store) -> Iterator[Finding]:
    """Say who is at work at this moment, and which leases nobody holds any more."""
    leases = store.leases()
    for name, owner, since, is_free in zip(
        leases["name"], leases["owner"], leases["acquired_at"], leases["is_free"], strict=True
    ):
        kind, _, campaign = name.partition(":")
        if is_free:
            text = f"{owner} held the {kind} {campaign} and is gone; whoever comes next takes it over."
            yield Finding("lease", False, text, REPAIR)
        else:
            yield Finding("lease", True, f"{owner} holds the {kind} {campaign} since {since:%Y-%m-%d %H:%M} UTC.")


def check_events(store: Store) -> Iterator[Finding]:
    """Find events that Prefect has not been told; without a server there is nobody to tell."""
    n_unsent = len(store.unsent_events())
    if not n_unsent:
        return
    has_server = bool(os.environ.get("PREFECT_API_URL"))
    text = f"{counted(n_unsent, 'event')} not told to Prefect" + ("." if has_server else "; no server is named.")
    yield Finding("events", not has_server, text, REPAIR if has_server else "")


def check_orphans(store: Store) -> Iterator[Finding]:
    """Find rows that point at something that is not there."""
    rows = store.orphans()
    if len(rows):
        named = [f"{table} {key}" for table, key in zip(rows["table"], rows["id"], strict=True)]
        text = f"{counted(len(rows), 'row')} without what they belong to: {_some(named)}."
        yield Finding("orphans", False, text, "discovery restore BACKUP TARGET")


def check_checkpoints(store: Store) -> Iterator[Finding]:
    """Find registered versions whose files are missing, and files that are registered nowhere."""
    models = store.models()
    paths = {str(row.version_id): store.path.parent / Path(str(row.path)) for row in models.itertuples()}
    missing = [version_id for version_id, path in paths.items() if not path.is_file()]
    if missing:
        text = f"{', '.join(missing)} missing; run `discovery meta-train` again or restore models/."
        yield Finding("checkpoints", False, text)
    else:
        yield Finding("checkpoints", True, f"{len(models)} registered, all present.")
    used = {path.stem for path in paths.values()}
    left = sorted(path.name for path in (store.path.parent / MODELS).glob("*") if path.stem not in used)
    if left:
        text = f"{counted(len(left), 'file')} in {MODELS}/ that no version uses: {_some(left)}. They may be deleted."
        yield Finding("checkpoints", True, text)


def check_runs(store: Store) -> Iterator[Finding]:
    """Find flow runs that Prefect believes in and nobody runs any more; needs `PREFECT_API_URL`."""
    if not os.environ.get("PREFECT_API_URL"):
        return
    from flows.runtime import prefect_runtime

    with prefect_runtime(store.path.parent):
        from flows.stuck import stuck_in

        for campaign, run in stuck_in(store):
            text = f"{run.flow} run {run.run_id} of {campaign} is {run.state} in Prefect, and nobody runs it."
            yield Finding("runs", False, text, REPAIR)


STORE_CHECKS: Mapping[str, Callable[[Store], Iterator[Finding]]] = MappingProxyType(
    {
        "leases": check_leases,
        "events": check_events,
        "orphans": check_orphans,
        "checkpoints": check_checkpoints,
        "runs": check_runs,
    }
)


def check_campaign(one: Campaign, file: str) -> Iterator[Finding]:
    """Find what waits to be taken up in a campaign.

    Args:
        one: The campaign.
        file: Its file, for commands.
    """
    from discovery.session.due import read_facts

    facts = read_facts(one)
    if facts.n_reported:
        yield Finding("trials", True, f"{facts.n_reported} of {one.name} have reported; the next run ingests them.")
    if facts.n_awaited:
        yield Finding("trials", True, f"{facts.n_awaited} of {one.name} are in the laboratory.")
    if facts.n_left and not facts.runner:
        text = f"{facts.n_left} of {one.name} were cut off; a run takes them up again."
        yield Finding("trials", False, text, f"discovery run {file}")
    if facts.is_stuck:
        text = f"the last {facts.n_failed} of {one.name} failed. The last said: {facts.last_error}"
        yield Finding("trials", False, text, f"discovery run {file}")
    deadline = one.deadline(one.waiting())
    if deadline is not None and deadline < datetime.now(UTC):
        text = f"some of {one.name} wait since longer than {one.spec.review.timeout} and are stale."
        yield Finding("proposals", False, text, REPAIR)
    yield from check_inbox(one, file)


def check_inbox(one: Campaign, file: str) -> Iterator[Finding]:
    """Find files in a campaign's inbox that nobody has taken in."""
    from discovery.ingest.arrivals import strangers_in, tables_in
    from discovery.session.inbox import REFUSED, inbox_of

    folder = inbox_of(one.spec)
    if folder is None:
        return
    if not folder.is_dir():
        yield Finding("inbox", False, f"{folder} of {one.name} is not there.", f"mkdir {folder}")
        return
    tables, strangers = tables_in(folder), strangers_in(folder)
    refused = tables_in(folder / REFUSED)
    if tables:
        text = f"{_some([path.name for path in tables])} in {folder} not taken in."
        yield Finding("inbox", False, text, f"discovery watch {file} --once")
    if strangers:
        yield Finding(
            "inbox", False, f"{_some([path.name for path in strangers])} in {folder} can not be read as tables."
        )
    if refused:
        yield Finding(
            "inbox", True, f"{counted(len(refused), 'refused file')} in {folder / REFUSED}, with the reasons."
        )


def _end(store: Store) -> Iterator[Deed]:
    """End the flow runs that nobody runs any more."""
    if os.environ.get("PREFECT_API_URL"):
        from flows.runtime import prefect_runtime

        with prefect_runtime(store.path.parent):
            from flows.stuck import end_stuck_in

            yield from end_stuck_in(store)


def _tell(store: Store) -> Iterator[Deed]:
    """Tell Prefect what it has not been told."""
    from discovery.session.sweeping import Deed

    if os.environ.get("PREFECT_API_URL"):
        from flows.runtime import prefect_runtime

        with prefect_runtime(store.path.parent):
            from flows.events import tell_events

            if n_told := tell_events(store):
                yield Deed("", "events", f"{counted(n_told, 'event')} told to Prefect.")


def _safely(name: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Give findings, and what kept a check from going on as the last."""
    try:
        yield from findings
    except DiscoveryError as error:
        yield Finding(name, False, str(error))


def _file_of(one: Campaign, file: Path | None) -> str:
    """Return the file of a campaign where it was named."""
    from discovery.campaign import load_spec

    return str(file) if file is not None and load_spec(file).name == one.name else "FILE"


def _about(campaign: str, text: str) -> str:
    return f"{campaign}: {text}" if campaign else text


def _some(names: Sequence[str]) -> str:
    """Name the first few of many."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
