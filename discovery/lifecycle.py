"""The status tables: what a campaign, a proposal, a trial and a model version may become, and who makes it so.

The tables are the only place where a transition is allowed; the store checks them inside the transaction that writes
the new status, so that two people who decide at once cannot both win.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from discovery.errors import StatusError

NEW = ""
"""What a record is before it is written: the status that every first transition leaves."""


class CampaignStatus(StrEnum):
    """Status of a campaign."""

    ACTIVE = "ACTIVE"
    FINISHED = "FINISHED"


class ProposalStatus(StrEnum):
    """Status of a proposal."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    STALE = "STALE"


class TrialStatus(StrEnum):
    """Status of a trial."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"


class ModelStatus(StrEnum):
    """Status of a model version."""

    CANDIDATE = "CANDIDATE"
    PROMOTED = "PROMOTED"
    ARCHIVED = "ARCHIVED"
    REJECTED = "REJECTED"


STATUSES: Mapping[str, type[StrEnum]] = MappingProxyType(
    {"campaign": CampaignStatus, "proposal": ProposalStatus, "trial": TrialStatus, "model": ModelStatus}
)
"""The statuses of each kind of record."""

TRANSITIONS: Mapping[str, Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        "campaign": {
            (NEW, CampaignStatus.ACTIVE): "session",
            (CampaignStatus.ACTIVE, CampaignStatus.FINISHED): "session or person",
            (CampaignStatus.FINISHED, CampaignStatus.ACTIVE): "person, by a new version of the spec",
        },
        "proposal": {
            (NEW, ProposalStatus.PROPOSED): "cycle",
            (ProposalStatus.PROPOSED, ProposalStatus.APPROVED): "person or auto",
            (ProposalStatus.PROPOSED, ProposalStatus.REJECTED): "person",
            (ProposalStatus.PROPOSED, ProposalStatus.STALE): "time-out",
            (ProposalStatus.APPROVED, ProposalStatus.STALE): "a changed campaign, while no trial runs",
        },
        "trial": {
            (NEW, TrialStatus.RUNNING): "adapter, lease held",
            (TrialStatus.RUNNING, TrialStatus.COMPLETED): "ingest",
            (TrialStatus.RUNNING, TrialStatus.FAILED): "adapter or person; a retry is a new trial",
            (TrialStatus.RUNNING, TrialStatus.ABANDONED): "person or adapter; never again",
        },
        "model": {
            (NEW, ModelStatus.CANDIDATE): "meta-train or refine",
            (ModelStatus.CANDIDATE, ModelStatus.PROMOTED): "gate or person",
            (ModelStatus.CANDIDATE, ModelStatus.REJECTED): "gate or person",
            (ModelStatus.PROMOTED, ModelStatus.ARCHIVED): "the promotion of another version",
            (ModelStatus.ARCHIVED, ModelStatus.PROMOTED): "person, to roll back",
        },
    }
)
"""Every legal transition `(from, to)` of each kind, with who makes it."""


def successors(kind: str, status: str) -> tuple[str, ...]:
    """Return what a record of a kind may become from a status, in the order of the table.

    Example:
        >>> successors("trial", "COMPLETED")
        ()
    """
    return tuple(str(after) for before, after in TRANSITIONS[kind] if before == status)


def check_transition(kind: str, before: str, after: str, where: str = "") -> None:
    """Check that a record may move from one status to another.

    Args:
        kind: `campaign`, `proposal`, `trial` or `model`.
        before: The status it has; `NEW` for a record that is being made.
        after: The status asked for.
        where: The record's id, for the message.

    Raises:
        StatusError: If the move is not in the table.

    Example:
        >>> check_transition("proposal", "PROPOSED", "APPROVED")
    """
    if (before, after) in TRANSITIONS[kind]:
        return
    named = f"{kind.capitalize()} {where}".strip()
    allowed = successors(kind, before)
    hint = f"It may become {' or '.join(allowed)}." if allowed else f"{before or 'It'} is final."
    raise StatusError(f"{named} must not move from {before or 'nothing'} to {after or 'nothing'}.", hint)
