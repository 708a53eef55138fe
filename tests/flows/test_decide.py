"""The review form on a real server: it asks, waits without a process, and decides once, whoever else decides."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.session import Campaign
from flows.decide import DecideOutcome, outcome_markdown
from flows.forms import ReviewForm

REQUIRED = {"mode": "required", "timeout": "7d"}


def test_the_form_approves_nothing_by_itself():
    """Who only gives a name rejects, and the form's values are read as the library reads them."""
    form = ReviewForm(reviewer="Ada")
    assert (form.decision, form.answer().chosen, form.answer().reviewer) == ("reject all", (), "Ada")
    assert list(ReviewForm.model_fields) == ["decision", "chosen", "edits", "reason", "reviewer", "note"]
    assert all(field.title and field.description for field in ReviewForm.model_fields.values())


def test_what_came_of_an_answer_is_said():
    """The page says who decided what, who was first, why nothing happened, and what waits still."""
    text = outcome_markdown(DecideOutcome("lab", before=("a was approved by Bo",), waiting=("b",)), "Your name?")
    assert "Nothing was decided by this answer. Your name?" in text
    assert (
        "Decided by others first" in text
        and "- a was approved by Bo" in text
        and "1 proposal to be decided: b." in text
    )
    assert outcome_markdown(DecideOutcome("lab", decided=("a was approved by Ada",))).endswith(
        "- a was approved by Ada"
    )


@pytest.mark.slow
def test_a_form_decides_once(desk: Callable, write: Callable[..., Path]):
    """While people think nobody need run; a faulty answer is asked again with its fault; what the command line decided
    first stands and is told; the rest is decided, and the campaign goes on by itself."""
    file = write(name="form", review=REQUIRED, budget={"experiments": 1})
    one = Campaign.open(file)
    first = str(one.ask(1)["proposal_id"].iloc[0])
    lab = desk(file, "form")
    run = lab.decide(cycle=1)
    lab.until(run, "Suspended", n_forms=1)
    lab.stop()
    schema, above = lab.form(run)
    assert list(schema["properties"]) == list(ReviewForm.model_fields) and schema["required"] == ["reviewer"]
    assert schema["properties"]["chosen"]["items"]["enum"][0].startswith(f"{first}: ")
    assert "1 proposal of form waits" in above and "go stale on" in above
    for answer in (
        {"decision": "approve all"},
        {"decision": "yes", "reviewer": "Ada"},
        {"chosen": ["x"], "reviewer": "Ada"},
    ):
        assert lab.resume(run, **answer)["status"] == "REJECT"
        assert lab.run(run)["state"]["name"] == "Suspended"
    assert lab.resume(run, reviewer="Ada")["status"] == "ACCEPT"  # rejects, and does not say why
    lab.serve()
    lab.until(run, "Suspended", n_forms=2)
    assert "A reason must be given to reject" in lab.form(run)[1]
    assert one.waiting() == (first,)
    lab.resume(run, decision="approve all", reviewer="Ada", note="go")
    assert lab.until(run, "Completed")["name"] == "form c001 decide"
    (decision,) = one.decisions()
    assert (decision.decision, decision.reviewer, decision.reason) == ("approve", "Ada", "go")
    lab.wait(lambda: len(one.measurements()) == 1, lambda: one.progress().reason)


@pytest.mark.slow
def test_who_decides_first_wins(desk: Callable, write: Callable[..., Path]):
    """A form whose proposals were decided on the command line writes the rest and says who was first; one that has
    nothing left to ask is closed; nothing is asked twice."""
    file = write(name="first", review=REQUIRED, experiment=None, budget={"experiments": 3})
    one = Campaign.open(file)
    first, second, third = one.ask(3)["proposal_id"]
    lab = desk(file, "first")
    run = lab.decide()
    lab.until(run, "Suspended", n_forms=1)
    again = lab.decide(cycle=1)
    lab.until(again, "Completed")
    one.decide(first, "reject", "Bo", "too dear")
    lab.resume(run, decision="approve all", chosen=[], edits=f"{second} ligand=L99", reviewer="Ada")
    lab.until(run, "Suspended", n_forms=2)
    assert "ligand must be one of" in lab.form(run)[1] and one.waiting() == (second, third)
    one.decide(second, "approve", "Cy")
    label = next(one for one in lab.form(run)[0]["properties"]["chosen"]["items"]["enum"] if one.startswith(third))
    lab.resume(run, decision="approve the chosen, reject the others", chosen=[label], reason="dear", reviewer="Ada")
    lab.until(run, "Completed")
    assert {d.proposal_id: (d.decision, d.reviewer) for d in one.decisions()} == {
        first: ("reject", "Bo"),
        second: ("approve", "Cy"),
        third: ("approve", "Ada"),
    }
    told = lab.ask("GET", "/artifacts/first-decisions/latest")["data"]
    assert f"{third} was approved by Ada" in told and f"{second} was approved by Cy" in told.partition("first, and")[2]


@pytest.mark.slow
def test_a_form_that_is_over_is_closed(desk: Callable, write: Callable[..., Path]):
    """What the command line decides ends the form about it, and the run says by whom."""
    file = write(name="over", review=REQUIRED, experiment=None, budget={"experiments": 2})
    one = Campaign.open(file)
    one.ask(2)
    lab = desk(file, "over")
    run = lab.decide()
    lab.until(run, "Suspended", n_forms=1)
    words = [sys.executable, "-m", "discovery.cli.main", "review", str(file), "--approve", "all", "--reviewer", "Bo"]
    subprocess.run(words, check=True, env={**os.environ, "PREFECT_API_URL": lab.url})
    closed = lab.until(run, "Cancelled")
    assert "was approved by Bo" in closed["state"]["message"]


@pytest.mark.slow
def test_a_form_that_nobody_answers_loses_nothing(desk: Callable, write: Callable[..., Path]):
    """After the time-out the run has failed and takes no answer; the proposals are stale with their reason, still in
    the store, and another review finds nothing to ask."""
    file = write(name="late", review={"mode": "required", "timeout": "45s"}, experiment=None, budget={"experiments": 2})
    one = Campaign.open(file)
    lab = desk(file, "late")
    ids = one.ask(2)["proposal_id"].tolist()
    run = lab.decide()
    lab.until(run, "Suspended", n_forms=1)
    assert "never resumed" in lab.until(run, "Failed")["state"]["message"]
    assert lab.resume(run, decision="approve all", reviewer="Ada")["status"] == "ABORT"
    lab.until(lab.decide(), "Completed")
    assert one.proposals()["status"].tolist() == ["STALE"] * 2
    assert [(d.proposal_id, d.reviewer) for d in one.decisions()] == [(i, "time-out") for i in ids]
