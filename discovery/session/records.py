"""What the session gives back, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discovery.cycle import ProposalDraft
    from discovery.store import ProposalRow


@dataclass(frozen=True)
class ReviewReport:
    """What became of the proposals that waited for a decision.

    Attributes:
        approved: Ids approved just now because nobody is asked.
        stale: Ids that waited for longer than `review.timeout`.
        waiting: Ids that wait for a person.
    """

    approved: tuple[str, ...]
    stale: tuple[str, ...]
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
