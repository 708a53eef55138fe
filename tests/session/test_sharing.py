"""Which campaigns teach which: in history, in checkpoints that others refined, and when they change their mind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pandas as pd
import pytest

from discovery.campaign import CampaignRef, CampaignSpec
from discovery.campaign.sections import Share
from discovery.errors import ConfigurationError
from discovery.lifecycle import ModelStatus
from discovery.meta.checkpoint import Checkpoint
from discovery.session import Campaign
from discovery.session.models import ModelShelf
from discovery.session.refining import why_not

Make = Callable[..., Campaign]
HISTORY = {"history": ["case_1.csv", "case_2.csv"]}
SHARES = get_args(Share)


@pytest.fixture
def learner(make_campaign: Make) -> Callable[..., Campaign]:
    """Return a function that opens a campaign with two earlier tasks, whose hypotheses are trained."""
    return lambda **changes: make_campaign(**{"name": "learner", "experience": HISTORY, **changes})


def taught_by(campaign: Campaign, *names: str) -> str:
    """Promote a history checkpoint that has learned from campaigns as well, and return its id."""
    base = campaign.shelf.find("history")
    assert base is not None
    sources = (*base.meta.task_sources, *(f"campaign:{name}" for name in names))
    taught = Checkpoint(replace(base.meta, task_sources=sources), base.tensors)
    return campaign.shelf.keep(taught, ModelStatus.PROMOTED).version_id


def test_history_and_checkpoints_keep_to_the_rule(learner: Make) -> None:
    """All nine pairs, in one team and in two: the rule decides whether a campaign and what it taught are found."""
    mine = learner()
    base, taught = mine.shelf.find("history").checkpoint_id, taught_by(mine, "teacher")
    for share, teacher_share, team in itertools.product(SHARES, SHARES, ("red", "blue")):
        teacher = mine.spec.model_copy(update={"name": "teacher", "share": teacher_share, "team": "red"})
        one = mine.spec.model_copy(update={"share": share, "team": team})
        with mine.store.transaction():
            mine.store.register_campaign(CampaignSpec.from_json(teacher.model_dump_json(), teacher.base_dir))
        shelf = ModelShelf(mine.store, one, mine.space, mine.shelf.device)
        shelf.experience = mine.shelf.experience
        may = teacher_share == "all" or (teacher_share == "team" and team == "red")
        assert shelf.find("history").checkpoint_id == (taught if may else base), (share, teacher_share, team)
        if may:
            assert shelf.read([CampaignRef(campaign="teacher")]) == ()
        else:
            with pytest.raises(ConfigurationError, match=f"share: {teacher_share} in teacher's file"):
                shelf.read([CampaignRef(campaign="teacher")])


def test_one_teacher_who_does_not_share_is_enough(learner: Make) -> None:
    """A checkpoint that has seen several campaigns is used only where all of them teach; earlier ones stand in."""
    mine = learner()
    for name, said in (("open", {"share": "all"}), ("closed", {"share": "team", "team": "red"})):
        spec = mine.spec.model_copy(update={"name": name, **said})
        mine.store.register_campaign(CampaignSpec.from_json(spec.model_dump_json(), spec.base_dir))
    alone = taught_by(mine, "open")
    both = taught_by(mine, "open", "closed")
    assert mine.store.promoted("history", mine.space.schema_hash).version_id == both
    assert mine.shelf.find("history").checkpoint_id == alone
    assert learner(team="red").shelf.find("history").checkpoint_id == both


def test_a_change_of_mind_counts_from_then_on(learner: Make) -> None:
    """What a campaign no longer shares is not used any longer, also where it was in use; shared again, it may be."""
    learner(name="teacher", experience={}, share="all")
    mine = learner()
    taught = taught_by(mine, "teacher")
    mine.meta_train()
    ids = lambda campaign: [one.checkpoint_id for one in campaign.hypotheses()]  # noqa: E731
    assert taught in ids(learner())
    learner(name="teacher", experience={}, share="private")
    assert taught not in ids(learner())
    assert mine.shelf.why_not_shared(("campaign:teacher",))
    learner(name="teacher", experience={}, share="all")
    again = learner()
    again.meta_train()
    assert taught in ids(again)


def test_a_private_campaign_joins_no_history(learner: Make, table: pd.DataFrame) -> None:
    """Its measurements go into no checkpoint; when it shares, they may."""
    finished = {"name": "mine", "budget": {"experiments": 6}}
    private = learner(**finished, share="private")
    private.tell(table.head(6))
    said = why_not(private.shelf, private.progress(), private.observations())
    assert said == "Campaign mine does not join the history of others: it is private (share)."
    assert private.refine() is None
    assert private.why_no_refinement() == said
    assert learner(**finished, share="team").why_no_refinement() == ""


def test_a_teams_refinement_stays_in_the_team(learner: Make, table: pd.DataFrame) -> None:
    """The next campaign of the team builds on it; one of another team keeps to what was there before."""
    first = learner(name="first", team="red", budget={"experiments": 12})
    first.meta_train()
    first.tell(table.head(12))
    new = first.refine(score=lambda checkpoint, tasks: -float(len(checkpoint.meta.task_sources)))
    assert new is not None and new.is_promoted
    found = {team: learner(team=team).shelf.find("history") for team in ("red", "blue", "")}
    assert {team: one.checkpoint_id == new.checkpoint.checkpoint_id for team, one in found.items()} == {
        "red": True,
        "blue": False,
        "": False,
    }
