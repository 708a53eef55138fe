"""Which campaigns may teach which: the one rule, pure.

A campaign says in its own file who may learn from it (`share`), and in which `team` it is. The rule holds for its
measurements and for every checkpoint that has seen them, and always as the teacher's file says it now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Shared(Protocol):
    """What the rule asks of a campaign: a spec has it, and `Sharing`."""

    @property
    def name(self) -> str:
        """Name of the campaign."""
        ...

    @property
    def share(self) -> str:
        """`private`, `team` or `all`."""
        ...

    @property
    def team(self) -> str:
        """Its team; empty for campaigns that name none, which are a team as well."""
        ...


@dataclass(frozen=True)
class Sharing:
    """What a campaign says about sharing, apart from its spec; the defaults are those of the campaign file."""

    name: str
    share: str = "team"
    team: str = ""


def may_learn_from(learner: Shared, teacher: Shared) -> str:
    """Say why one campaign may not learn from another; empty where it may.

    What the learner shares itself plays no part.

    Example:
        >>> may_learn_from(Sharing("a"), Sharing("b", share="all", team="x"))
        ''
        >>> may_learn_from(Sharing("a"), Sharing("b", share="private"))
        "campaign b teaches no other campaign (share: private in b's file)"
    """
    if teacher.share == "all" or (teacher.share == "team" and teacher.team == learner.team):
        return ""
    key = f"share: {teacher.share} in {teacher.name}'s file"
    if teacher.share == "private":
        return f"campaign {teacher.name} teaches no other campaign ({key})"
    who = f"campaigns of the team {teacher.team!r}" if teacher.team else "campaigns without a team"
    is_of = f"is of the team {learner.team!r}" if learner.team else "names no team"
    return f"campaign {teacher.name} teaches {who} ({key}), and {learner.name} {is_of}"
