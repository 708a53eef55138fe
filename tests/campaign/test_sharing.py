"""Who may learn from whom: every pair of shares, in one team, in two, and with none."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from discovery.campaign.sections import Share
from discovery.campaign.sharing import Sharing, may_learn_from

SHARES, TEAMS = get_args(Share), ("", "red", "blue")


@pytest.mark.parametrize(("share", "teacher_share"), list(itertools.product(SHARES, SHARES)))
@pytest.mark.parametrize(("team", "teacher_team"), list(itertools.product(TEAMS, TEAMS)))
def test_the_teacher_decides(share: str, teacher_share: str, team: str, teacher_team: str) -> None:
    """`all` teaches all, `team` its own team, `private` nobody; what the learner shares plays no part."""
    why = may_learn_from(Sharing("learner", share, team), Sharing("teacher", teacher_share, teacher_team))
    may = {"all": True, "team": team == teacher_team, "private": False}[teacher_share]
    assert (why == "") == may
    assert may or f"share: {teacher_share} in teacher's file" in why


def test_a_campaign_that_says_nothing_teaches_others_that_say_nothing() -> None:
    """The defaults are those of the campaign file: nobody has to name a team to build on earlier campaigns."""
    assert may_learn_from(Sharing("a"), Sharing("b")) == ""
    assert "teaches campaigns without a team" in may_learn_from(Sharing("a", team="red"), Sharing("b"))
