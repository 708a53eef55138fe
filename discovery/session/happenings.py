"""What a campaign lets the world know: each event is written in the transaction that makes it true, once.

Nothing is sent from here. The outbox keeps an event until `flows.events` has told it to Prefect, where it wakes
deployments and triggers automations; without a server it stays where it is. Next in the tour: `discovery.store.outbox`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from discovery.lifecycle import CampaignStatus

if TYPE_CHECKING:
    import pandas as pd

    from discovery.belief.records import BeliefSummary
    from discovery.session.base import CampaignPart
    from discovery.session.progress import CampaignProgress
    from discovery.store import IngestReport

REVIEW_WAITING = "discovery.review.waiting"
PROPOSALS_DECIDED = "discovery.proposals.decided"
RESULTS_INGESTED = "discovery.results.ingested"
TRANSFER_HARMFUL = "discovery.transfer.harmful"
TARGET_REACHED = "discovery.target.reached"
CAMPAIGN_FINISHED = "discovery.campaign.finished"
CAMPAIGN_STUCK = "discovery.campaign.stuck"
MEASUREMENT_CORRECTED = "discovery.measurement.corrected"
EVENTS = (
    REVIEW_WAITING,
    PROPOSALS_DECIDED,
    RESULTS_INGESTED,
    TRANSFER_HARMFUL,
    TARGET_REACHED,
    CAMPAIGN_FINISHED,
    CAMPAIGN_STUCK,
    MEASUREMENT_CORRECTED,
)
"""Every event that a campaign may write."""


def note_waiting(one: CampaignPart, waiting: pd.DataFrame) -> None:
    """Write that proposals wait for a person, once per cycle.

    Args:
        one: The campaign.
        waiting: Proposals that nobody has decided about; may be empty.
    """
    for cycle, proposals in waiting.groupby("cycle"):
        payload = {"cycle": int(str(cycle)), "proposal_ids": proposals["proposal_id"].tolist()}
        one.store.add_event(one.name, REVIEW_WAITING, payload, cycle)


def note_decided(one: CampaignPart, cycle: int, waiting: pd.DataFrame) -> None:
    """Write that nobody waits for a decision about a cycle any longer; nothing while somebody does.

    Args:
        one: The campaign.
        cycle: The cycle of the proposal that was decided last.
        waiting: Proposals of the campaign that still wait.
    """
    if not (waiting["cycle"] == cycle).any():
        one.store.add_event(one.name, PROPOSALS_DECIDED, {"cycle": cycle}, cycle)


def note_results(one: CampaignPart, report: IngestReport) -> None:
    """Write that results came in, and that the target is reached where they reach it; nothing where none landed.

    Args:
        one: The campaign.
        report: What the ingestion did, in the same transaction.
    """
    if not report.n_added + report.n_completed:
        return
    progress = one.progress()
    payload = {"n_added": report.n_added, "n_measurements": progress.n_measurements}
    one.store.add_event(one.name, RESULTS_INGESTED, payload, *report.measurement_ids)
    if progress.ended_by == "target" and progress.best is not None:
        target, best = one.spec.stop.target, float(progress.best[one.spec.objective.name])
        one.store.add_event(one.name, TARGET_REACHED, {"best": best, "target": target}, target)


def note_harm(one: CampaignPart, summary: BeliefSummary, checkpoint_ids: Mapping[str, str], outcome: str = "") -> None:
    """Write that experience does not fit this task, once for every set of checkpoints.

    Args:
        one: The campaign.
        summary: Where the belief stands; its e-value has reached the level of alarm.
        checkpoint_ids: What the campaign uses, by hypothesis.
        outcome: The outcome that it is about where that is not the first objective's.
    """
    about = {"outcome": outcome} if outcome else {}
    payload = about | {
        "weights": summary.weights,
        "e_value": float(summary.e_value),
        "n_measurements": summary.n_measurements,
    }
    one.store.add_event(one.name, TRANSFER_HARMFUL, payload, *sorted(checkpoint_ids.items()), *about.values())


def note_finish(one: CampaignPart, progress: CampaignProgress) -> None:
    """Write that the campaign has ended, before it is marked so; nothing where it is marked already.

    Args:
        one: The campaign.
        progress: What says that it has ended.
    """
    if one.store.campaign(one.name).status == CampaignStatus.FINISHED:
        return
    payload = {
        "reason": progress.reason,
        "ended_by": progress.ended_by,
        "n_measurements": progress.n_measurements,
        "best": None if progress.best is None else float(progress.best[one.spec.objective.name]),
    }
    one.store.add_event(one.name, CAMPAIGN_FINISHED, payload, one.spec.spec_hash, progress.n_measurements)


def note_stuck(one: CampaignPart, reason: str) -> None:
    """Write that the campaign cannot go on without a person, once for every last attempt.

    Args:
        one: The campaign.
        reason: Why, in one sentence.
    """
    with one.store.transaction():
        trials = one.store.trials(one.name)["trial_id"]
        one.store.add_event(one.name, CAMPAIGN_STUCK, {"reason": reason}, *trials.tail(1))


def note_correction(one: CampaignPart, measurement_id: str, payload: Mapping[str, object]) -> None:
    """Write that a measurement was corrected or retracted.

    Args:
        one: The campaign.
        measurement_id: The measurement that no longer counts.
        payload: What replaced it and why.
    """
    told = {"measurement_id": measurement_id, **payload}
    one.store.add_event(one.name, MEASUREMENT_CORRECTED, told, measurement_id)
