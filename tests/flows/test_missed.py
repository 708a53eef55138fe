"""Waking whoever a wake-up missed: once for every state, and not while somebody is at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from discovery.session.due import CampaignFacts, Due
from discovery.session.progress import CampaignProgress
from flows import missed
from flows.missed import wake_key, wake_where_due
from flows.runs import RunView

FACTS = CampaignFacts(CampaignProgress("lab", 0, 0, 8, 0, 0, None, False, ""))
PROPOSE, POLL = [Due("propose", "nothing is proposed")], [Due("poll", "1 trial to be asked after")]
NOW = datetime.now(UTC)


class Lab:
    """What stands for an opened campaign."""

    name = "lab"


@pytest.fixture
def woken(monkeypatch):
    """A server with deployments and without runs; returns what is woken, and what it is told about."""
    seen: dict = {"keys": [], "facts": FACTS, "ended": [], "is_deployed": True}

    def wake(campaign, *, flow, key):
        if seen["is_deployed"]:
            seen["keys"].append((flow, key))
        return seen["is_deployed"]

    monkeypatch.setattr(missed, "wake", wake)
    monkeypatch.setattr(missed, "read_facts", lambda one: seen["facts"])
    monkeypatch.setattr(missed, "last_runs", lambda client, campaign, flow: seen["ended"])
    monkeypatch.setattr(missed, "is_known", lambda client, key: key in [k for _, k in seen["keys"]])
    return seen


def look(runs=()) -> list[str]:
    """Look once; return what was done."""
    return [deed.what for deed in wake_where_due(None, Lab(), "/lab.yaml", runs)]


def test_a_campaign_is_woken_once_for_every_state(woken):
    """A second sweep wakes nobody; a new state does."""
    assert look() == ["woken"] and look() == []
    woken["facts"] = replace(FACTS, progress=replace(FACTS.progress, cycle=1, n_measurements=2))
    assert look() == ["woken"] and look() == []
    assert [flow for flow, _ in woken["keys"]] == ["campaign", "campaign"]


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "SCHEDULED", "CANCELLING"])
def test_nobody_is_woken_while_a_run_is_on_its_way(woken, state):
    """A run that is open does what is due."""
    assert look([RunView("r", "campaign", "/lab.yaml", state, NOW)]) == []
    assert look([RunView("r", "decide", "/lab.yaml", state, NOW)]) == ["woken"]


def test_nobody_is_woken_while_somebody_runs_it(woken):
    """Somebody may run the campaign without Prefect: the lease says so."""
    woken["facts"] = replace(FACTS, runner="elsewhere:1")
    assert look() == []


def test_a_form_is_opened_where_none_shows_what_waits(woken):
    """Proposals that wait get a form, unless one is open that was made after them."""
    progress = replace(FACTS.progress, n_open=2, n_waiting=2, cycle=1)
    woken["facts"] = replace(FACTS, progress=progress, is_asking=True, waiting_since=NOW)
    older, newer = (
        RunView("r", "decide", "/lab.yaml", "PAUSED", NOW + timedelta(seconds=seconds)) for seconds in (-60, 60)
    )
    assert look([newer]) == []
    assert look([older]) == ["woken"] and woken["keys"][0][0] == "decide"


def test_after_a_failure_it_is_tried_again_and_later_and_later(woken):
    """A crash is followed by one more run for the same state; two in a row by a pause."""
    now = datetime.now(UTC)  # not when the module was loaded, which is long ago in a session of many tests
    now = datetime.now(UTC)
    assert look() == ["woken"]
    woken["ended"] = [("run-1", "CRASHED", now)]
    assert look() == ["woken"] and look() == []
    woken["ended"] = [("run-2", "CRASHED", now), *woken["ended"]]
    assert look() == ["waits"]
    woken["ended"] = [("run-2", "CRASHED", now - timedelta(minutes=6)), *woken["ended"][1:]]
    assert look() == ["woken"]


def test_a_laboratory_is_asked_after_in_every_sweep():
    """The key of a poll changes with every run that ended; other keys change with the state alone."""
    first, second = ([(f"run-{i}", "COMPLETED", NOW)] for i in (1, 2))
    assert wake_key("lab", "campaign", FACTS, POLL, first) != wake_key("lab", "campaign", FACTS, POLL, second)
    assert wake_key("lab", "campaign", FACTS, PROPOSE, first) == wake_key("lab", "campaign", FACTS, PROPOSE, second)


def test_what_nobody_was_deployed_for_is_only_said(woken):
    """Without a deployment the sweep says what is due."""
    woken["is_deployed"] = False
    assert look() == ["due"]


def test_a_stuck_campaign_is_left_to_people(woken):
    """Experiments that fail one after the other are not tried again by themselves, and the last error is said."""
    woken["facts"] = replace(FACTS, n_failed=3, last_error="no power")
    (deed,) = wake_where_due(None, Lab(), "/lab.yaml", [])
    assert deed.what == "problem" and "no power" in deed.text and "discovery run /lab.yaml" in deed.text


def test_late_runs_are_named(woken):
    """Runs that no worker takes are pointed out."""
    late = RunView("r", "campaign", "/lab.yaml", "SCHEDULED", NOW, is_late=True)
    assert look([late]) == ["waits"]
