"""Which runs are dead, which forms are open, and when the next run may come: rules over plain values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from flows.runs import CAMPAIGN, DECIDE, GRACE_S, Holder, RunView, as_view, is_dead, is_of, pause_s, shows_form

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment, as seconds before noon."""
    return NOW - timedelta(seconds=seconds)


def run(state: str, age_s: float, flow: str = CAMPAIGN) -> RunView:
    """A run that got its state some seconds ago."""
    return RunView("r", flow, "/lab.yaml", state, at(age_s))


@pytest.mark.parametrize(
    ("state", "age_s", "held_for_s", "dead"),
    [
        ("RUNNING", 600, None, True),
        ("RUNNING", 60, None, False),
        ("RUNNING", 600, 590, False),
        ("RUNNING", 600, 300, True),
        ("RUNNING", 600, 600 - GRACE_S, False),
        ("CANCELLING", 600, None, True),
        ("PENDING", 200, None, False),
        ("PENDING", 400, None, True),
        ("PENDING", 400, 390, True),
        ("PAUSED", 1e6, None, False),
        ("SCHEDULED", 1e6, None, False),
    ],
)
def test_a_run_without_its_lease_is_dead(state, age_s, held_for_s, dead):
    """A run is dead when nobody has the campaign's lease, or somebody who took it long after the run began."""
    holder = None if held_for_s is None else Holder("lab:1", at(held_for_s))
    assert is_dead(run(state, age_s), holder, NOW) is dead


@pytest.mark.parametrize(("age_s", "dead"), [(60, True), (40, False)])
def test_a_run_whose_lease_a_dead_process_left_is_dead_at_once(age_s, dead):
    """Who took the lease after the run began is the run, and gone; a run that began since is another one."""
    assert is_dead(run("RUNNING", age_s), Holder("lab:1", at(50), is_gone=True), NOW) is dead


@pytest.mark.parametrize(("age_s", "dead"), [(600, False), (4000, True)])
def test_flows_without_a_lease_are_given_an_hour(age_s, dead):
    """A form that is being written and a sweep hold no lease; they take seconds."""
    assert is_dead(run("RUNNING", age_s, DECIDE), None, NOW) is dead


@pytest.mark.parametrize(
    ("state", "age_s", "shown"), [("PAUSED", 10, True), ("PAUSED", 100, False), ("SCHEDULED", 100, True)]
)
def test_a_form_is_about_what_was_proposed_before_it(state, age_s, shown):
    """An open form shows what waited when it was made; one that has yet to open shows all."""
    assert shows_form(run(state, age_s, DECIDE), at(50)) is shown
    assert not shows_form(run("RUNNING", 0), at(50))


@pytest.mark.parametrize(
    ("ended", "seconds"),
    [
        ([], 0),
        (["COMPLETED", "FAILED", "FAILED"], 0),
        (["FAILED"], 0),
        (["CRASHED", "FAILED", "COMPLETED"], 300),
        (["FAILED"] * 30, 21600),
    ],
)
def test_failures_in_a_row_are_followed_at_longer_intervals(ended, seconds):
    """One failure is tried again at once, several in a row ever later, and never later than after six hours."""
    assert pause_s(ended) == seconds


def as_prefect(state: str, begins: datetime, **changes: object) -> SimpleNamespace:
    """A run as the server gives it."""
    values = {
        "id": "r",
        "parameters": {"file": "/lab.yaml"},
        "state": SimpleNamespace(type=SimpleNamespace(value=state), timestamp=at(5)),
        "expected_start_time": begins,
        "created": at(9),
        "auto_scheduled": True,
        "parent_task_run_id": None,
    }
    return SimpleNamespace(**(values | changes))


def test_a_run_that_nobody_takes_is_late():
    """What should have begun long ago and has not is late; what runs is not."""
    assert as_view(as_prefect("SCHEDULED", at(3600)), CAMPAIGN, NOW).is_late
    assert not as_view(as_prefect("SCHEDULED", at(60)), CAMPAIGN, NOW).is_late
    assert not as_view(as_prefect("RUNNING", at(3600)), CAMPAIGN, NOW).is_late


def test_a_run_belongs_to_its_file(tmp_path):
    """The campaign file is a run's identity; a sweep goes by its first one."""
    file = tmp_path / "lab.yaml"
    one = as_view(as_prefect("RUNNING", NOW, parameters={"file": str(tmp_path / "." / "lab.yaml")}), CAMPAIGN, NOW)
    sweep = as_view(as_prefect("RUNNING", NOW, parameters={"files": [str(file)]}), "sweep", NOW)
    other = as_view(as_prefect("RUNNING", NOW, parameters={}), CAMPAIGN, NOW)
    assert [is_of(run, file) for run in (one, sweep, other)] == [True, True, False]
