from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from discovery.meta.checkpoint import Checkpoint
from discovery.meta.refine import TOLERANCE
from discovery.session import Campaign
from discovery.session.refining import find_occasion
from discovery.tasks import Task

Make = Callable[..., Campaign]
BOTH = {
    "objectives": [{"name": "yield"}, {"name": "waste", "goal": "minimize"}],
    "outcomes": [{"name": "yield", "range": [0, 100]}, {"name": "waste", "range": [0, 10]}],
    "experience": {"history": ["both_1.csv", "both_2.csv"]},
    "candidates": None,
    "experiment": None,
}
FINISHED = {"experience": {"history": ["case_1.csv", "case_2.csv"]}, "budget": {"experiments": 12}}


def more_is_better(checkpoint: Checkpoint, tasks: Sequence[Task]) -> float:
    return -float(len(checkpoint.meta.task_sources))


def more_is_worse(checkpoint: Checkpoint, tasks: Sequence[Task]) -> float:
    return float(len(checkpoint.meta.task_sources))


@pytest.fixture
def finished(make_campaign: Make, table: pd.DataFrame) -> Campaign:
    """A campaign that has used its budget."""
    campaign = make_campaign(**FINISHED)
    campaign.meta_train()
    campaign.tell(table.head(12))
    return campaign


@pytest.mark.parametrize(("score", "status"), [(more_is_better, "PROMOTED"), (more_is_worse, "REJECTED")])
def test_the_gate_decides_what_is_promoted(finished: Campaign, score: Callable, status: str) -> None:
    """A version that wins on held-out tasks is promoted and its parent archived; one that loses is kept out of use."""
    parent = finished.store.promoted("history", finished.space.schema_hash)
    result = finished.refine(score=score)
    version = finished.store.model(result.checkpoint.checkpoint_id)
    assert (version.status, result.is_promoted) == (status, status == "PROMOTED")
    assert version.parent == parent.version_id
    assert version.task_sources == (*parent.task_sources, "campaign:case-4")
    assert finished.store.model(parent.version_id).status == ("ARCHIVED" if result.is_promoted else "PROMOTED")


def test_the_gate_judges_by_held_out_tasks(finished: Campaign) -> None:
    """By default the score is the predictive density on held-out real tasks, and the verdict follows from it."""
    result = finished.refine()
    assert result.is_promoted == (result.score_after <= result.score_before + TOLERANCE)
    scores = finished.store.model(result.checkpoint.checkpoint_id).scores
    assert scores["held_out_nlpd"] == pytest.approx(result.score_after)


def test_refining_finishes_the_campaign_and_happens_once(finished: Campaign) -> None:
    """The campaign is marked finished; a second refinement has nothing to do and says why."""
    assert finished.why_no_refinement() == ""
    finished.refine(score=more_is_worse)
    assert finished.store.campaign("case-4").status == "FINISHED"
    assert "has joined the history already" in finished.why_no_refinement()
    assert finished.refine() is None
    assert len(finished.store.models()) == 3


def test_the_campaign_itself_never_uses_what_came_out_of_it(finished: Campaign, make_campaign: Make) -> None:
    """After its own refinement a campaign works with what it had; the next campaign gets the new version."""
    before = [hypothesis.checkpoint_id for hypothesis in finished.hypotheses()]
    new = finished.refine(score=more_is_better).checkpoint.checkpoint_id
    again = make_campaign(**FINISHED)
    again.meta_train()
    assert [hypothesis.checkpoint_id for hypothesis in again.hypotheses()] == before
    following = make_campaign(name="next", **FINISHED)
    assert new in [hypothesis.checkpoint_id for hypothesis in following.hypotheses()]


def test_campaigns_build_on_each_other(finished: Campaign, make_campaign: Make, table: pd.DataFrame) -> None:
    """The next campaign's refinement goes on from the promoted version, with all of its tasks."""
    finished.refine(score=more_is_better)
    following = make_campaign(name="next", **FINISHED)
    following.meta_train()
    following.tell(table.tail(12))
    result = following.refine(score=more_is_better)
    assert result.checkpoint.meta.task_sources[2:] == ("campaign:case-4", "campaign:next")


@pytest.mark.parametrize(
    ("changes", "n", "why"),
    [
        ({}, 6, "is not finished: 6 of 12 experiments"),
        ({"budget": {"experiments": 3}}, 3, "has 3 measurements; a task needs at least 5"),
        ({"experience": {"history": ["case_1.csv"]}}, 12, "takes 2 earlier tasks; there are 1"),
        ({"outcomes": [{"name": "yield", "range": [0, 99]}]}, 12, "No history checkpoint"),
        ({"hypotheses": [{"name": "no_transfer"}]}, 12, "has no hypothesis `history`; no other one is refined"),
    ],
)
def test_nothing_to_refine_says_why(make_campaign: Make, table: pd.DataFrame, changes: dict, n: int, why: str) -> None:
    """A campaign that runs, is tiny, or has next to no history is left alone, with the reason in one sentence."""
    campaign = make_campaign(**FINISHED | changes)
    campaign.tell(table.head(n))
    assert why in campaign.why_no_refinement()
    assert campaign.refine() is None


def two_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a second outcome that follows the first."""
    return table.assign(waste=(100 - table["yield"]) / 10)


@pytest.fixture
def both(make_campaign: Make, table: pd.DataFrame, folder: Path) -> Campaign:
    """A finished campaign whose history holds both of its outcomes; its last waste is a bound."""
    for i in (1, 2):
        two_outcomes(pd.read_csv(folder / f"case_{i}.csv")).to_csv(folder / f"both_{i}.csv", index=False)
    campaign = make_campaign(**FINISHED | BOTH)
    campaign.meta_train()
    rows = two_outcomes(table.head(12)).astype({"waste": object})
    rows.loc[rows.index[-1], "waste"] = "<2"
    campaign.tell(rows)
    return campaign


def test_every_outcome_is_refined_with_a_gate_of_its_own(both: Campaign) -> None:
    """Each outcome goes on from its own checkpoint; one may pass its held-out check while another fails it."""
    parents = {name: shelf.find("history").checkpoint_id for name, shelf in both.shelves.items()}

    def only_waste(checkpoint: Checkpoint, tasks: Sequence[Task]) -> float:
        is_new, is_waste = len(checkpoint.meta.task_sources) > 2, float(tasks[0].Y.max()) < 20
        return float(is_new and not is_waste)

    found = both.refine_all(score=only_waste)
    assert {name: one.is_promoted for name, one in found.items()} == {"yield": False, "waste": True}
    assert {name: one.checkpoint.meta.parent for name, one in found.items()} == parents
    assert "has joined the history already" in both.why_no_refinement() and both.refine_all() == {}
    assert both.shelves["waste"].find("history").checkpoint_id == parents["waste"]  # never what has seen itself


def test_the_next_campaign_learns_from_every_refined_outcome(both: Campaign, make_campaign: Make) -> None:
    """Both refined versions serve the next campaign, each the outcome that it is about; a bound stays a bound."""
    found = both.refine_all(score=more_is_better)
    following = make_campaign(name="next", **FINISHED | BOTH)
    used = {name: following.shelves[name].find("history").checkpoint_id for name in ("yield", "waste")}
    assert used == {name: one.checkpoint.checkpoint_id for name, one in found.items()}
    own = find_occasion(make_campaign(name="third", **FINISHED | BOTH).shelves["waste"], both.observations("waste"))
    assert own.new.n_bounds == 1 and own.new.task_id == "campaign:third"
