"""What is to be done about a campaign, read from the store: whoever was woken too late, or never, is woken by this.

A wake-up may be lost with a killed process or a server that was away. The store knows all the same: results that nobody
has ingested, decisions that nobody has acted on, a campaign without proposals. Next in the tour:
`discovery.session.progress`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discovery.errors import counted
from discovery.lifecycle import CampaignStatus, TrialStatus
from discovery.session.leases import lease_name
from discovery.session.progress import CampaignProgress
from discovery.session.proposals import ProposalBook
from discovery.store.leases import is_gone

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from discovery.campaign import CampaignSpec
    from discovery.session.campaign import Campaign

STUCK_AFTER = 3  # batches in a row without a result: a person has to look before the next one
MIN_REFINED, MIN_EARLIER = 5, 2  # measurements and earlier tasks without which nothing is refined


@dataclass(frozen=True)
class CampaignFacts:
    """What there is to know about a campaign before one decides whether somebody has to be woken.

    Attributes:
        progress: Where it stands.
        is_finished: Whether it is marked finished in the store.
        is_asking: Whether its file asks people about proposals.
        is_scheduled: Whether its file names a schedule.
        laboratory: The type of its experiment; empty where results come by themselves.
        n_reported: Trials that have reported and are not ingested.
        n_unstarted: Approved proposals without a trial.
        n_left: Running trials without a report whose owner was cut off.
        n_awaited: Running trials that the laboratory has, and that anybody may ask after.
        n_failed: Trials that ended without a result since the last measurement.
        batch_size: Proposals of one cycle.
        is_unrefined: Whether it has ended and could teach the next ones, and has not.
        waiting_since: When the last proposal was made that waits for a decision; None where none does.
        runner: Who runs it at this moment, and may live; empty where nobody does.
        last_error: What the last failed trial said.
    """

    progress: CampaignProgress
    is_finished: bool = False
    is_asking: bool = False
    is_scheduled: bool = False
    laboratory: str = ""
    n_reported: int = 0
    n_unstarted: int = 0
    n_left: int = 0
    n_awaited: int = 0
    n_failed: int = 0
    batch_size: int = 1
    is_unrefined: bool = False
    waiting_since: datetime | None = None
    runner: str = ""
    last_error: str = ""

    @property
    def is_stuck(self) -> bool:
        """Whether its experiments fail one after the other."""
        return self.n_failed >= STUCK_AFTER * self.batch_size

    @property
    def signature(self) -> str:
        """Stands for the state it is in: whoever was woken for it once need not be woken for it again."""
        p = self.progress
        numbers = (p.cycle, p.n_measurements, p.n_budget, p.n_open, p.n_waiting, self.n_reported, self.n_unstarted)
        return "-".join(
            map(str, (*numbers, self.n_left, self.n_awaited, int(self.is_finished), p.ended_by or "going-on"))
        )


@dataclass(frozen=True)
class Due:
    """Something that is to be done.

    Attributes:
        what: `ingest`, `finish`, `refine`, `approve`, `propose`, `experiment`, `resume`, `poll` or `decide`.
        text: Why, in a few words.
    """

    what: str
    text: str

    @property
    def is_for_people(self) -> bool:
        """Whether people have to do it; else a run of the campaign does."""
        return self.what == "decide"


def what_is_due(facts: CampaignFacts) -> tuple[Due, ...]:
    """Say what is to be done about a campaign; empty where it waits rightly, or has ended.

    The proposals of a campaign with a schedule are left to the schedule. A campaign whose experiments fail one
    after the other is left to people.

    Example:
        >>> from discovery.session.progress import CampaignProgress
        >>> new = CampaignProgress("lab", 0, 0, 10, 0, 0, None, False, "")
        >>> what_is_due(CampaignFacts(new))
        (Due(what='propose', text='nothing is proposed'),)
    """
    p, due = facts.progress, []
    if facts.n_reported:
        due.append(Due("ingest", f"{counted(facts.n_reported, 'trial')} reported and not ingested"))
    if p.is_finished:
        if not facts.is_finished:
            due.append(Due("finish", f"it has ended: {p.reason}"))
        elif facts.is_unrefined:
            due.append(Due("refine", "it has ended and has not joined the history"))
        return tuple(due)
    if p.n_waiting and facts.is_asking:
        due.append(Due("decide", f"{counted(p.n_waiting, 'proposal')} to be decided"))
    if facts.is_stuck:
        return tuple(due)
    if p.n_waiting and not facts.is_asking:
        due.append(Due("approve", f"{counted(p.n_waiting, 'proposal')} to be approved, and nobody is asked"))
    if not p.n_open and not facts.is_scheduled:
        due.append(Due("propose", "nothing is proposed"))
    if facts.laboratory and facts.n_unstarted:
        due.append(Due("experiment", f"{counted(facts.n_unstarted, 'approved proposal')} not begun"))
    if facts.laboratory and facts.n_left:
        due.append(Due("resume", f"{counted(facts.n_left, 'trial')} cut off"))
    if facts.laboratory not in ("", "manual") and facts.n_awaited:
        due.append(Due("poll", f"{counted(facts.n_awaited, 'trial')} to be asked after"))
    return tuple(due)


def read_facts(campaign: Campaign) -> CampaignFacts:
    """Read what there is to know about a campaign, all at one moment."""
    store, name, spec = campaign.store, campaign.name, campaign.spec
    with store.transaction():
        progress, book = campaign.progress(), ProposalBook.read(store, name)
        trials, row, leases = store.trials(name), store.campaign(name), store.leases()
        models, measured = store.models(), campaign.measurements()
    is_let_go = let_go(trials)
    is_reported = (trials["status"] == TrialStatus.RUNNING) & trials["reported_at"].notna()
    held = leases[(leases["name"] == lease_name(name)) & ~leases["is_free"]]["owner"]
    failed = _failed_since(trials, measured)
    is_finished = row.status == CampaignStatus.FINISHED
    return CampaignFacts(
        progress=progress,
        is_finished=is_finished,
        is_asking=spec.review.mode == "required",
        is_scheduled=spec.schedule is not None,
        laboratory=spec.experiment.type if spec.experiment is not None else "",
        n_reported=int(is_reported.sum()),
        n_unstarted=int((~book.to_run["proposal_id"].isin(_under_way(trials))).sum()),
        n_left=int((is_let_go & (trials["error"] == "")).sum()),
        n_awaited=int((is_let_go & (trials["error"] != "")).sum()),
        n_failed=len(failed),
        batch_size=spec.acquisition.batch_size,
        is_unrefined=is_finished and _is_teaching(campaign, progress) and not _has_taught(models, name),
        waiting_since=book.waiting["created_at"].max().to_pydatetime() if book.n_waiting else None,
        runner=str(held.iloc[0]) if len(held) else "",
        last_error=str(failed.iloc[-1]) if len(failed) else "",
    )


def let_go(trials: pd.DataFrame) -> pd.Series:
    """Return which trials (`Store.trials`) run, have not reported, and are held by nobody any more.

    Where the laboratory has the trial, its `error` says what it waits for; where its owner was cut off, it is empty.
    """
    import pandas as pd

    is_open = (trials["status"] == TrialStatus.RUNNING) & trials["reported_at"].isna()
    is_over = (trials["lease_expires_at"] <= pd.Timestamp.now("UTC")) | trials["owner"].map(is_gone).astype(bool)
    return is_open & is_over


def _under_way(trials: pd.DataFrame) -> set[str]:
    return set(trials.loc[trials["status"] == TrialStatus.RUNNING, "proposal_id"])


def _failed_since(trials: pd.DataFrame, measured: pd.DataFrame) -> pd.Series:
    """Return what trials said that ended without a result after the last measurement, in the order they ended."""
    ended = trials[trials["status"].isin([TrialStatus.FAILED, TrialStatus.ABANDONED])].sort_values("finished_at")
    return (
        ended["error"] if measured.empty else ended.loc[ended["finished_at"] > measured["ingested_at"].max(), "error"]
    )


def _is_teaching(campaign: Campaign, progress: CampaignProgress) -> bool:
    return progress.n_measurements >= MIN_REFINED and _n_earlier(campaign.spec) >= MIN_EARLIER


def _has_taught(models: pd.DataFrame, campaign: str) -> bool:
    return any(f"campaign:{campaign}" in json.loads(text) for text in models["task_sources"])


def _n_earlier(spec: CampaignSpec) -> int:
    """Return how many earlier tasks the history may hold; a table with a column of tasks counts as enough."""
    return sum(MIN_EARLIER if getattr(ref, "task", None) else 1 for ref in spec.experience.history)
