"""What is to be done about a campaign: found in the store, whatever wake-up was lost."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from discovery.session.due import CampaignFacts, read_facts, what_is_due
from discovery.session.leases import lease_name
from discovery.session.progress import CampaignProgress

NEW = CampaignFacts(CampaignProgress("lab", 0, 0, 8, 0, 0, None, False, ""))
GONE = f"{socket.gethostname()}:4194304"


def facts(progress: dict, **changes) -> CampaignFacts:
    """Facts that differ from those of a new campaign."""
    return replace(NEW, progress=replace(NEW.progress, **progress), **changes)


def due(one: CampaignFacts) -> list[str]:
    """Names of what is due."""
    return [item.what for item in what_is_due(one)]


@pytest.mark.parametrize(
    ("progress", "changes", "wanted"),
    [
        ({}, {}, ["propose"]),
        ({}, {"is_scheduled": True}, []),
        ({"cycle": 1, "n_measurements": 2}, {"is_scheduled": True}, []),
        ({"n_open": 2, "n_waiting": 2}, {"is_asking": True}, ["decide"]),
        ({"n_open": 2, "n_waiting": 2}, {}, ["approve"]),
        ({"n_open": 2}, {"laboratory": "table", "n_unstarted": 2}, ["experiment"]),
        ({"n_open": 2}, {"n_unstarted": 2}, []),
        ({"n_open": 2}, {"laboratory": "http", "n_awaited": 2}, ["poll"]),
        ({"n_open": 2}, {"laboratory": "manual", "n_awaited": 2}, []),
        ({"n_open": 2}, {"laboratory": "manual", "n_left": 2}, ["resume"]),
        ({"n_open": 2}, {"laboratory": "table", "n_reported": 1}, ["ingest"]),
        ({"is_finished": True}, {}, ["finish"]),
        ({"is_finished": True, "n_open": 1}, {"is_finished": True, "n_unstarted": 1, "laboratory": "table"}, []),
        ({"is_finished": True}, {"is_finished": True, "is_unrefined": True}, ["refine"]),
        ({}, {"n_failed": 3}, []),
        ({}, {"n_failed": 3, "batch_size": 2}, ["propose"]),
        ({"n_open": 1, "n_waiting": 1}, {"n_failed": 3, "is_asking": True}, ["decide"]),
    ],
)
def test_what_is_due(progress, changes, wanted):
    """Each state asks for what leads on from it, and for nothing where people or a laboratory are awaited."""
    assert due(facts(progress, **changes)) == wanted


def test_the_facts_follow_a_campaign_through_a_cycle(make_campaign):
    """From nothing proposed to ingested, every step leaves what the next one is found by."""
    campaign = make_campaign(review={"mode": "required"}, budget={"experiments": 2})
    assert due(read_facts(campaign)) == ["propose"]
    first, second = campaign.ask()["proposal_id"]
    waiting = read_facts(campaign)
    assert due(waiting) == ["decide"] and waiting.waiting_since is not None
    campaign.decide(first, "approve", "Ada")
    campaign.decide(second, "approve", "Ada")
    assert due(read_facts(campaign)) == ["experiment"]
    campaign.experiment()
    assert due(read_facts(campaign)) == ["ingest"]
    campaign.ingest_results()
    assert due(read_facts(campaign)) == ["finish"]
    campaign.finish()
    done = read_facts(campaign)
    assert done.is_finished and due(done) == []


def test_every_state_has_a_signature_of_its_own(make_campaign):
    """Who was woken for a state is woken again for the next one, and not twice for the same."""
    campaign = make_campaign(budget={"experiments": 2})
    steps = [campaign.ask, campaign.review_pending, campaign.experiment, campaign.ingest_results, campaign.finish]
    seen = [read_facts(campaign).signature]
    for step in steps:
        step()
        seen.append(read_facts(campaign).signature)
    assert len(set(seen)) == len(seen)
    assert read_facts(campaign).signature == seen[-1]


def test_a_trial_that_was_cut_off_is_found(make_campaign):
    """A running trial is taken up when its process is gone, and asked after when it was handed to the laboratory."""
    campaign = make_campaign()
    first, second = campaign.ask()["proposal_id"]
    campaign.review_pending()
    campaign.store.start_trial(first, "table", GONE)
    campaign.store.start_trial(second, "table", "elsewhere:1")
    found = read_facts(campaign)
    assert (found.n_left, found.n_awaited, found.n_unstarted, due(found)) == (1, 0, 0, ["resume"])
    campaign.store.release_trials({f"{second}-t1": "asked the robot"}, "elsewhere:1")
    found = read_facts(campaign)
    assert (found.n_left, found.n_awaited, due(found)) == (1, 1, ["resume", "poll"])


@pytest.mark.parametrize(("owner", "runner"), [("elsewhere:1", "elsewhere:1"), (GONE, "")])
def test_who_runs_it_is_known(make_campaign, owner, runner):
    """The holder of the lease runs the campaign, unless its process is gone."""
    campaign = make_campaign()
    campaign.store.take_lease(lease_name(campaign.name), owner, 60)
    assert read_facts(campaign).runner == runner


def test_failures_count_until_something_is_measured(make_campaign, table):
    """A campaign whose trials all fail is stuck; a measurement shows that the laboratory works again."""
    campaign = make_campaign(acquisition={"batch_size": 1})
    campaign.ask()
    campaign.review_pending()
    for _ in range(3):
        trial = campaign.store.start_trial(campaign.proposals()["proposal_id"][0], "table", "elsewhere:1")
        campaign.store.fail_trial(trial.trial_id, "no power", retryable=True)
    stuck = read_facts(campaign)
    assert stuck.is_stuck and stuck.last_error == "no power" and due(stuck) == []
    campaign.tell(table.tail(1))
    assert due(read_facts(campaign)) == ["experiment"]


def test_a_campaign_that_could_teach_is_refined(make_campaign, table):
    """One that has ended with enough measurements and earlier tasks joins the history once."""
    campaign = make_campaign(experience={"history": ["case_1.csv", "case_2.csv"]}, budget={"experiments": 6})
    campaign.meta_train()
    campaign.tell(table.head(6))
    campaign.finish()
    assert due(read_facts(campaign)) == ["refine"]
    assert campaign.refine() is not None
    assert due(read_facts(campaign)) == []
