"""The part of a sweep that needs the store alone: inboxes are taken in, old proposals go stale, dead owners are freed.

Whoever calls it, and however often, changes nothing that was decided. Next in the tour: `discovery.session.due`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from discovery.errors import DiscoveryError, counted
from discovery.ingest.arrivals import SETTLE_S, Settling
from discovery.session.due import read_facts, what_is_due
from discovery.session.inbox import inbox_of, make_inbox, take_inbox
from discovery.session.proposals import ProposalBook

if TYPE_CHECKING:
    from discovery.session.campaign import Campaign
    from discovery.store import Store

Open = Callable[[str], "Campaign"]
DUE, PROBLEM, WAITS = "due", "problem", "waits"
"""What a sweep only says: it has changed nothing."""


@dataclass(frozen=True)
class Deed:
    """One thing that a sweep did or found.

    Attributes:
        campaign: Which campaign it is about; empty where it is about the store.
        what: What was done, in one word: `inbox`, `stale`, `lease`, `events`, `crashed` or `woken`; or `due`, `problem`
            and `waits` for what was only found.
        text: What came of it, in a sentence.
    """

    campaign: str
    what: str
    text: str

    @property
    def has_changed(self) -> bool:
        """Whether anything was changed."""
        return self.what not in (DUE, PROBLEM, WAITS)


def sweep_alone(files: Sequence[str], settle_s: float = SETTLE_S) -> list[Deed]:
    """Do what a sweep can do without a Prefect server: tidy up, and say what is due and which command does it.

    Args:
        files: The campaign files.
        settle_s: How long a file of an inbox must stay the same to count as written.

    Returns:
        What was done and found.
    """
    found, faults = open_all(files)
    return faults + tidy(list(found.values()), settle_s) + find_due(found)


def open_all(files: Sequence[str], open_one: Open | None = None) -> tuple[dict[str, Campaign], list[Deed]]:
    """Open campaigns by their files; a file that is wrong is named, and keeps nobody from the others.

    Args:
        files: The campaign files.
        open_one: What opens one; default `Campaign.open`.
    """
    from discovery.session.campaign import Campaign

    found: dict[str, Campaign] = {}
    faults = []
    for file in files:
        try:
            found[file] = (open_one or Campaign.open)(file)
        except DiscoveryError as error:
            faults.append(Deed(Path(file).stem, PROBLEM, str(error)))
    return found, faults


def tidy(campaigns: Sequence[Campaign], settle_s: float = SETTLE_S) -> list[Deed]:
    """Take inboxes in, let proposals go stale, and free what dead owners hold.

    What goes wrong with one campaign is said, and keeps nobody from the others.

    Args:
        campaigns: The campaigns to look after.
        settle_s: How long a file of an inbox must stay the same to count as written.

    Returns:
        What was done, in that order.
    """
    settling = Settling(settle_s)
    settling.wait([folder for folder in (inbox_of(one.spec) for one in campaigns) if folder is not None])
    parts = (_take_in, _expire)
    deeds = [deed for one in campaigns for part in parts for deed in guarded(one.name, part(one, settling))]
    stores = {one.store.path: one.store for one in campaigns}
    return deeds + [deed for store in stores.values() for deed in guarded("", _free(store))]


def find_due(campaigns: Mapping[str, Campaign]) -> list[Deed]:
    """Say what is due about campaigns that nobody runs at this moment, and which command does it.

    Args:
        campaigns: The campaigns, by their files as a person writes them.
    """
    return [deed for file, one in campaigns.items() for deed in guarded(one.name, _due(one, file))]


def guarded(campaign: str, deeds: Iterable[Deed]) -> Iterator[Deed]:
    """Give deeds until an error ends them, and the error as the last."""
    try:
        yield from deeds
    except DiscoveryError as error:
        yield Deed(campaign, PROBLEM, str(error))


def _take_in(one: Campaign, settling: Settling) -> Iterator[Deed]:
    if inbox_of(one.spec) is not None:
        make_inbox(one.spec)
    for taken in take_inbox(one, settling):
        what = PROBLEM if taken.verdict == "left" and not taken.n_added else "inbox"
        yield Deed(one.name, what, f"{taken.file} was {taken.verdict}: {taken.text}")


def _expire(one: Campaign, _settling: Settling) -> Iterator[Deed]:
    stale = one.expire_pending() if ProposalBook.read(one.store, one.name).n_waiting else ()
    if stale:
        yield Deed(one.name, "stale", f"{counted(len(stale), 'proposal')} went stale: {', '.join(stale)}.")


def _free(store: Store) -> Iterator[Deed]:
    for name in store.free_leases():
        kind, _, campaign = name.partition(":")
        yield Deed(campaign, "lease", f"The lease of whoever held the {kind} was freed: its owner is gone.")


def _due(one: Campaign, file: str) -> Iterator[Deed]:
    facts = read_facts(one)
    if facts.runner:
        return
    if facts.is_stuck:
        yield Deed(one.name, PROBLEM, f"{facts.n_failed} trials failed in a row. The last said: {facts.last_error}")
    for due in what_is_due(facts):
        command = f"discovery review {file}" if due.is_for_people else f"discovery run {file}"
        yield Deed(one.name, DUE, f"{due.text[0].upper()}{due.text[1:]}: {command}")
