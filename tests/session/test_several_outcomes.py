"""Campaigns with several outcomes: from file to proposals, results that come in parts, what they have come to."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.session import Campaign
from discovery.session.compromises import standing_lines
from tests.session.free_campaign import FREE

ROWS = pd.DataFrame(
    {
        "heat": [10.0, 40.0, 70.0, 95.0],
        "ligand": ["A", "B", "A", "C"],
        "yield": [20.0, 60.0, 50.0, 90.0],
        "waste": [1.0, 4.0, 5.0, 9.0],
    }
)
SCALES = {"outcomes": [{"name": "yield", "range": [0, 100]}, {"name": "waste", "range": [0, 10]}]}
TWO = {"objectives": [{"name": "yield"}, {"name": "waste", "goal": "minimize"}], **SCALES}


@pytest.fixture
def campaign(tmp_path):
    """A function that opens a free campaign with changes."""

    def make(**changes):
        spec = CampaignSpec.from_mapping({**FREE, **changes}, tmp_path)
        return Campaign.open(spec, store=tmp_path / "lab.duckdb", device="cpu")

    return make


def test_two_objectives_go_from_file_to_proposals_and_can_be_replayed(campaign):
    """Proposals foresee both outcomes, are computed again exactly, and the front is what no row beats."""
    lab = campaign(**TWO)
    lab.tell(ROWS)
    proposals = lab.ask(1)
    assert {"yield_pred", "yield_sd", "waste_pred", "waste_sd"} <= set(proposals.columns)
    stored = lab.store.proposal(proposals["proposal_id"][0])
    assert list(stored.others) == ["waste"] and stored.acqf_name == "pareto"
    assert stored.n_measurements == 4
    front = lab.progress().standing.front
    assert [row["position"] for row in front] == [4, 2, 1]
    lab.tell(ROWS.assign(heat=ROWS["heat"] + 1))  # what comes later does not change what was known then
    assert lab.replay(stored.proposal_id).is_equal


def test_an_outcome_may_come_a_week_later(campaign):
    """A row that lacks an outcome lands; the row that gives it completes the same measurement, whatever comes twice."""
    lab = campaign(**TWO)
    first, rest = ROWS.assign(waste=None), ROWS.assign(**{"yield": ["PENDING"] * 4})
    assert lab.tell(first).n_added == 4
    assert (len(lab.observations().y), len(lab.observations("waste").y)) == (4, 0)
    report = lab.tell(rest)
    assert (report.n_added, report.n_completed, report.n_duplicates) == (0, 4, 0)
    for frame in (first, rest):
        assert lab.tell(frame).n_duplicates == 4
    measured = lab.measurements()
    assert measured["position"].tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(measured[["yield", "waste"]], ROWS[["yield", "waste"]])
    assert lab.corrections().empty and lab.progress().n_measurements == 4


def test_a_row_that_contradicts_is_a_measurement_of_its_own(campaign):
    """A row that gives what lacks and denies what stands there completes nothing."""
    lab = campaign(**TWO)
    lab.tell(ROWS.head(1).assign(waste=None))
    report = lab.tell(ROWS.head(1).assign(**{"yield": 21.0}))
    assert (report.n_added, report.n_completed) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "said", "reached"),
    [
        ({"objectives": [{"name": "yield", "goal": "match", "target": 55}], "stop": {"target": 5}}, "5 away", True),
        ({"objectives": [{"name": "yield", "goal": "match", "window": [52, 58]}]}, "52 to 58: 2 away", False),
        ({"objectives": [{"name": "yield", "goal": "hits", "threshold": 50}], "stop": {"target": 4}}, "3 hits", False),
        ({"outcome_constraints": ["waste <= 5"], **SCALES}, "3 measurements within", False),
        ({**TWO, "combine": "desirability", "stop": {"target": 0.4}}, "desirability: 0.6", True),
        ({"cost": "1 + heat / 100", "budget": {"experiments": 9, "cost": 20}}, "Cost so far: 6.15 of 20.", False),
    ],
)
def test_every_goal_proposes_and_says_what_it_has_come_to(campaign, changes, said, reached):
    """Each goal goes from file to proposal, says where it stands in words, and ends where its target is reached."""
    lab = campaign(**changes)
    lab.tell(ROWS)
    standing = lab.progress().standing
    assert said in " ".join(standing_lines(lab.spec, standing))
    assert bool(standing.reached) is reached
    if not reached:
        assert len(lab.ask(1)) == 1


def test_the_best_meets_the_constraints(campaign):
    """The best of a campaign with outcome constraints is the best that is allowed."""
    lab = campaign(outcome_constraints=["waste <= 5"], **SCALES)
    lab.tell(ROWS)
    assert lab.progress().best["yield"] == 60.0


def test_what_cannot_be_made_is_learned_and_replayed(campaign):
    """After an infeasible experiment proposals keep away from it, and are computed again exactly."""
    lab = campaign(**SCALES | {"objectives": [{"name": "yield"}]}, review={"mode": "auto"})
    lab.tell(ROWS.head(2))
    first = lab.ask(1)["proposal_id"][0]
    lab.review_pending()
    lab.fail(first, "decomposes", infeasible=True)
    second = lab.store.proposal(lab.ask(1)["proposal_id"][0])
    assert second.key != lab.store.proposal(first).key
    assert lab.replay(second.proposal_id).is_equal


def test_no_experiment_costs_more_than_is_left(campaign):
    """Proposals fit what budget.cost leaves, say what they cost, and the campaign ends where nothing is affordable."""
    lab = campaign(cost="10 + heat", budget={"experiments": 9, "cost": 300})
    lab.tell(ROWS.head(3))  # 150 are spent
    found = lab.ask(2)
    assert found["experiment_cost"].sum() <= 150
    lab.tell(found[["heat", "ligand"]].assign(heat=100.0, **{"yield": 5.0}))
    assert lab.progress().ended_by == ("cost" if len(found) == 2 else "")


def test_proposals_say_how_likely_they_are_allowed(campaign):
    """With outcome constraints each proposal says the probability that it keeps to them; with hits, that it is one."""
    limited = campaign(outcome_constraints=["waste <= 5"], **SCALES)
    limited.tell(ROWS)
    assert 0 < limited.ask(1)["p_allowed"][0] < 1
    hunted = campaign(name="hunt", objectives=[{"name": "yield", "goal": "hits", "threshold": 50}])
    hunted.tell(ROWS)
    assert 0 < hunted.ask(1)["p_hit"][0] < 1
