"""What the session gives back, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from discovery.review.card import value_text

if TYPE_CHECKING:
    from discovery.cycle import ProposalDraft
    from discovery.store import ProposalRow


@dataclass(frozen=True)
class ReviewReport:
    """What became of the proposals that waited for a decision.

    Attributes:
        approved: Ids approved just now because nobody is asked.
        stale: Ids that waited for longer than `review.timeout`, or no longer fit the campaign.
        waiting: Ids that wait for a person.
    """

    approved: tuple[str, ...]
    stale: tuple[str, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """What was decided about a proposal: one row of `reviews`.

    Attributes:
        proposal_id: The proposal.
        decision: `approve`, `edit`, `reject` or `stale`.
        reviewer: Who decided; `auto` where nobody is asked, `time-out` and `campaign` where it went stale.
        reason: Why, or a remark; may be empty.
        decided_at: When, UTC.
        values: Values that the reviewer changed.
    """

    proposal_id: str
    decision: str
    reviewer: str
    reason: str
    decided_at: datetime
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The decision in words, such as `was approved by Ada on 2026-11-23 16:40 UTC (have this one)`."""
        verb = {
            "approve": f"was approved by {self.reviewer}",
            "edit": f"was approved by {self.reviewer} with {self._changes}",
            "reject": f"was rejected by {self.reviewer}",
            "stale": "went stale",
        }[self.decision]
        remark = f" ({self.reason})" if self.reason else ""
        return f"{verb} on {self.decided_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC{remark}"

    @property
    def line(self) -> str:
        """The decision in words behind the proposal's id."""
        return f"{self.proposal_id} {self.sentence}"

    @property
    def _changes(self) -> str:
        return ", ".join(f"{name}={value_text(value)}" for name, value in self.values.items())


@dataclass(frozen=True)
class DecisionReport:
    """What became of the verdicts that one person gave at once.

    Attributes:
        decided: Decisions that were written.
        before: Decisions that others made first, about proposals that a verdict named; they stand.
        waiting: Ids of the campaign's proposals that wait still.
    """

    decided: tuple[Decision, ...]
    before: tuple[Decision, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class Replay:
    """A stored proposal beside the same proposal computed again.

    Attributes:
        stored: What was stored when it was made.
        recomputed: What the same inputs give now.
        is_equal: Whether both are the same, numbers within one part in a million.
        differences: What differs, in words; empty where both are equal.
    """

    stored: ProposalRow
    recomputed: ProposalDraft
    is_equal: bool
    differences: tuple[str, ...]
