"""Events are written with what makes them true, once each, and are rolled back with it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from discovery.belief.records import BeliefSummary
from discovery.session import happenings
from discovery.session.happenings import note_harm, note_stuck


@pytest.fixture
def told():
    """Return a function that gives a campaign's unsent events as (name, payload)."""

    def read(campaign):
        rows = campaign.store.unsent_events()
        assert set(rows["name"]) <= set(happenings.EVENTS)
        return [(name, json.loads(payload)) for name, payload in zip(rows["name"], rows["payload"], strict=True)]

    return read


def test_a_campaign_tells_its_cycle(make_campaign, told):
    """Waiting, decided, ingested and finished are written in this order, once, however often one looks."""
    one = make_campaign(review={"mode": "required"}, budget={"experiments": 2})
    ids = one.ask()["proposal_id"].tolist()
    assert one.review_pending().waiting == one.review_pending().waiting == tuple(ids)
    one.decide(ids[0], "approve", "ann")
    assert told(one) == [("discovery.review.waiting", {"cycle": 1, "proposal_ids": ids})]
    one.decide(ids[1], "approve", "ann")
    one.experiment()
    assert one.ingest_results().n_added == 2 and one.ingest_results().n_added == 0
    assert one.finish().is_finished and one.finish().is_finished
    decided, ingested, finished = told(one)[1:]
    assert decided == ("discovery.proposals.decided", {"cycle": 1})
    assert ingested == ("discovery.results.ingested", {"n_added": 2, "n_measurements": 2})
    assert finished[0] == "discovery.campaign.finished"
    assert finished[1]["ended_by"] == "budget" and finished[1]["n_measurements"] == 2


def test_proposals_that_went_stale_are_decided(make_campaign, told):
    """Where a time-out decides for the people, whoever waits for a decision is woken all the same."""
    one = make_campaign(review={"mode": "required", "timeout": "1s"})
    one.ask()
    one.store._execute("UPDATE proposals SET created_at = created_at - INTERVAL 2 SECOND")
    assert one.review_pending().waiting == ()
    assert [name for name, _ in told(one)] == ["discovery.proposals.decided"]


def test_nobody_is_called_where_nobody_is_asked(make_campaign, told):
    """Proposals that are approved automatically are no event: whoever approved them goes on."""
    one = make_campaign()
    one.ask()
    assert one.review_pending().approved
    assert told(one) == []


def test_results_that_are_told_twice_are_one_event(make_campaign, table, told):
    """The same rows a second time add nothing and say nothing; rows that reach the target say so once."""
    one = make_campaign(stop={"target": 0})
    rows = table.head(2)
    assert one.tell(rows).n_added == 2 and one.tell(rows).n_added == 0
    one.tell(table.iloc[2:3])
    names = [name for name, _ in told(one)]
    assert sorted(names) == ["discovery.results.ingested"] * 2 + ["discovery.target.reached"]
    assert dict(told(one))["discovery.target.reached"] == {"best": pytest.approx(rows["yield"].max()), "target": 0}


def test_what_is_rolled_back_was_not_said(make_campaign, table, told):
    """An event goes with its transaction: a result that did not land is not told."""
    one = make_campaign()
    with pytest.raises(RuntimeError, match="power"), one.store.transaction():
        one.tell(table.head(1))
        raise RuntimeError("power cut")
    assert told(one) == [] and one.measurements().empty


def test_harm_is_told_once_per_experience(make_campaign, told):
    """The alarm of later cycles repeats nothing; other checkpoints that do harm are another event."""
    one = make_campaign()
    harmful = BeliefSummary(3, {"history": -9.0}, {"history": 0.1, "no_transfer": 0.9}, e_value=25.0)
    note_harm(one, harmful, {"history": "v1"})
    note_harm(one, replace(harmful, n_measurements=4), {"history": "v1"})
    note_harm(one, harmful, {"history": "v2"})
    assert [name for name, _ in told(one)] == ["discovery.transfer.harmful"] * 2
    assert told(one)[0][1]["weights"] == {"history": 0.1, "no_transfer": 0.9}


def test_a_low_e_value_is_no_alarm(make_campaign, told):
    """A belief whose experience fits writes no event."""
    one = make_campaign()
    one.adapt()
    assert told(one) == []


def test_a_campaign_is_stuck_once_per_attempt(make_campaign, told):
    """Looking again at a stuck campaign repeats nothing; stuck after a further trial is another event."""
    one = make_campaign()
    one.ask()
    one.review_pending()
    note_stuck(one, "nobody answers")
    note_stuck(one, "nobody answers")
    one.experiment()
    note_stuck(one, "nobody answers")
    assert told(one) == [("discovery.campaign.stuck", {"reason": "nobody answers"})] * 2


def test_a_finished_campaign_that_goes_on_finishes_again(make_campaign, told):
    """A larger budget opens a campaign again; its second end is an event of its own."""
    for budget in (2, 4):
        one = make_campaign(budget={"experiments": budget})
        one.ask()
        one.review_pending()
        one.experiment()
        one.ingest_results()
        one.finish()
    ends = [payload["n_measurements"] for name, payload in told(one) if name == "discovery.campaign.finished"]
    assert ends == [2, 4]
