from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from discovery.errors import InputError, StatusError
from discovery.review import Verdict, render_text
from discovery.session import Campaign

Make = Callable[..., Campaign]
REQUIRED = {"mode": "required", "timeout": "7d"}
FREE = {
    "parameters": [
        {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"},
        {"name": "base", "type": "categorical", "values": ["DBU", "Et3N"]},
    ],
    "constraints": [{"type": "exclude", "when": {"base": "Et3N"}}],
    "candidates": None,
    "experiment": None,
    "review": REQUIRED,
}


def test_automatic_review_approves_at_once(make_campaign: Make) -> None:
    """Where nobody is asked every proposal is approved, by a reviewer named auto."""
    campaign = make_campaign()
    ids = campaign.ask()["proposal_id"].tolist()
    report = campaign.review_pending()
    assert (report.approved, report.stale, report.waiting) == (tuple(ids), (), ())
    assert set(campaign.store.reviews("case-4")["reviewer"]) == {"auto"}
    assert campaign.proposals()["status"].tolist() == ["APPROVED"] * 2


def test_required_review_waits_for_a_person(make_campaign: Make) -> None:
    """Nothing is run before a person has decided; `auto_approve` overrides the file."""
    campaign = make_campaign(review=REQUIRED)
    ids = campaign.ask()["proposal_id"].tolist()
    assert campaign.review_pending().waiting == tuple(ids)
    assert campaign.experiment() == []
    assert campaign.progress().n_waiting == 2
    campaign.decide(ids[0], "approve", "ann")
    assert [trial.proposal_id for trial in campaign.experiment()] == ids[:1]
    assert campaign.review_pending(auto_approve=True).approved == tuple(ids[1:])


def test_proposals_go_stale(make_campaign: Make) -> None:
    """What nobody decides about in time is stale and no longer open; a decision that comes later is refused."""
    campaign = make_campaign(review={"mode": "required", "timeout": "1s"})
    ids = campaign.ask()["proposal_id"].tolist()
    campaign.store._execute("UPDATE proposals SET created_at = created_at - INTERVAL 2 SECOND")
    assert campaign.review_pending().stale == tuple(ids)
    assert campaign.progress().n_open == 0
    with pytest.raises(StatusError, match=r"went stale on .* \(nobody decided within 1s\)"):
        campaign.decide(ids[0], "approve", "ann")


def test_a_rejection_needs_a_reason(make_campaign: Make) -> None:
    """Why a proposal was refused is kept with who refused it."""
    campaign = make_campaign(review=REQUIRED)
    proposal_id = campaign.ask(1)["proposal_id"].iloc[0]
    with pytest.raises(InputError, match="must say why"):
        campaign.decide(proposal_id, "reject", "ann")
    assert campaign.decide(proposal_id, "reject", "ann", "too hot").status == "REJECTED"


def test_an_edit_is_run_as_edited(make_campaign: Make) -> None:
    """Both values are kept; the edited one is what is carried out and excluded from then on."""
    campaign = make_campaign(review=REQUIRED)
    asked = campaign.ask(1)
    other = campaign.pool.frame[~pd.Series(campaign.pool.keys, index=campaign.pool.frame.index).isin(asked["key"])]
    values = other.iloc[0][list(campaign.space.names)].to_dict()
    proposal = campaign.decide(asked["proposal_id"].iloc[0], "edit", "ann", "have this one", values)
    assert proposal.configuration == values != proposal.proposed
    assert campaign.proposals()["key"].tolist() == [proposal.key]
    campaign.experiment()
    campaign.ingest_results()
    assert campaign.measurements()["key"].tolist() == [proposal.key]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": "200"}, "temperature must be"),
        ({"temperature": "warm"}, "temperature must be a number"),
        ({"base": "KOH"}, "base must be one of"),
        ({"solvent": "DMF"}, "must name parameters; got solvent"),
        ({"base": "Et3N"}, "must meet the constraints"),
    ],
    ids=["out of bounds", "text", "unknown category", "unknown parameter", "constraint"],
)
def test_an_edit_is_checked_like_any_configuration(make_campaign: Make, values: dict, message: str) -> None:
    """A wrong edit is refused in one sentence, and the proposal still waits."""
    campaign = make_campaign(**FREE)
    proposal_id = campaign.ask(1)["proposal_id"].iloc[0]
    with pytest.raises(InputError, match=message):
        campaign.decide(proposal_id, "edit", "ann", values=values)
    assert campaign.progress().n_waiting == 1


def test_an_edit_must_be_a_new_candidate(make_campaign: Make, table: pd.DataFrame) -> None:
    """An edit may neither leave the list of candidates nor repeat what is measured or proposed."""
    campaign = make_campaign(review=REQUIRED)
    names = list(campaign.space.names)
    campaign.tell(table.head(1))
    first, second = campaign.ask()["proposal_id"]
    with pytest.raises(InputError, match="must be one of the candidates"):
        campaign.decide(first, "edit", "ann", values={"temperature": 77.7})
    with pytest.raises(InputError, match="is measured or proposed already"):
        campaign.decide(first, "edit", "ann", values=table.iloc[0][names].to_dict())
    with pytest.raises(InputError, match="is measured or proposed already"):
        campaign.decide(first, "edit", "ann", values=campaign.store.proposal(second).configuration)


@pytest.fixture
def changed(make_campaign: Make, table: pd.DataFrame, tmp_path: Path) -> Callable[[str], tuple]:
    """Return a function that proposes once, lets the campaign change, and gives it with the first proposal's id."""

    def change(what: str) -> tuple[Campaign, str]:
        before = make_campaign(review=REQUIRED)
        first = before.ask().iloc[0]
        names, temperature = list(before.space.names), float(first["temperature"])
        is_it = (table[names] == first[names]).all(axis="columns")
        if what == "measured":
            before.tell(table[is_it])
            return before, first["proposal_id"]
        if what == "used":
            before.tell(table[~is_it].head(8))
            return before, first["proposal_id"]
        bounds = [temperature + 1, 111] if what == "narrowed" else [30, 110]
        parameters = [p.model_dump() for p in before.spec.parameters]
        parameters = [p | {"bounds": bounds} if p["name"] == "temperature" else p for p in parameters]
        kept = table[~is_it] if what == "removed" else table[table["temperature"] >= bounds[0]]
        kept.to_csv(tmp_path / "kept.csv", index=False)
        after = make_campaign(parameters=parameters, candidates=str(tmp_path / "kept.csv"), review=REQUIRED)
        return after, first["proposal_id"]

    return change


CHANGES = {
    "narrowed": "must be a configuration of the space: temperature must be",
    "removed": "must be one of the candidates",
    "measured": "is measured already",
    "used": "budget",
}


@pytest.mark.parametrize("what", ["measured", "used"])
def test_an_approval_is_checked_when_it_is_written(changed: Callable[[str], tuple], what: str) -> None:
    """What the campaign can no longer run is not approved, in words that say why; it can be rejected still."""
    message, (campaign, proposal_id) = CHANGES[what], changed(what)
    with pytest.raises(InputError, match=message) as refused:
        campaign.decide(proposal_id, "approve", "ann")
    assert refused.value.hint and proposal_id in str(refused.value)
    assert campaign.decide(proposal_id, "reject", "ann", "outdated").status == "REJECTED"


@pytest.mark.parametrize(("what", "message"), CHANGES.items())
def test_what_no_longer_fits_goes_stale(changed: Callable[[str], tuple], what: str, message: str) -> None:
    """A review, or a changed file, lets go what can no longer be run, with the reason, and nothing that still can."""
    campaign, proposal_id = changed(what)
    waiting = campaign.waiting()
    stale = campaign.review_pending().stale
    assert (proposal_id in stale) == (what in ("measured", "used"))
    assert set(waiting) - set(stale) == set(campaign.waiting())
    (decision,) = campaign.decisions([proposal_id])
    assert (decision.decision, decision.reviewer) == ("stale", "campaign")
    assert message in decision.reason


def test_no_more_is_approved_than_the_budget_leaves(make_campaign: Make, table: pd.DataFrame) -> None:
    """Where results nobody asked for have used the budget, the last proposals are not approved, by nobody."""
    campaign = make_campaign(review=REQUIRED)
    first, second = campaign.ask()["proposal_id"]
    others = table[~table[list(campaign.space.names)].apply(tuple, axis=1).isin(_configurations(campaign))]
    campaign.tell(others.head(7))
    campaign.decide(first, "approve", "ann")
    with pytest.raises(InputError, match="7 are measured and 1 proposal approved, of 8"):
        campaign.decide(second, "approve", "ann")
    assert campaign.review_pending(auto_approve=True).waiting == (second,)


def test_who_decided_first_is_named(make_campaign: Make) -> None:
    """Who comes second is told who decided, when, how and why; nobody decides without a name."""
    campaign = make_campaign(review=REQUIRED)
    first, second = campaign.ask()["proposal_id"]
    campaign.decide(first, "reject", "ann", "too hot")
    with pytest.raises(StatusError, match=r"was rejected by ann on \d{4}-.* UTC \(too hot\)\. The first decision"):
        campaign.decide(first, "approve", "bob")
    with pytest.raises(InputError, match="must say who decides"):
        campaign.decide(second, "approve", " ")


def test_verdicts_are_written_together(make_campaign: Make) -> None:
    """One wrong verdict writes none; what somebody else decided first stands, and is reported with their name."""
    campaign = make_campaign(review=REQUIRED, acquisition={"batch_size": 3})
    first, second, third = campaign.ask()["proposal_id"]
    with pytest.raises(InputError, match="temperature must be"):
        campaign.decide_all([Verdict(first, "approve"), Verdict(second, "edit", values={"temperature": "hot"})], "ann")
    assert campaign.waiting() == (first, second, third)
    campaign.decide(first, "reject", "bob", "too dear")
    report = campaign.decide_all([Verdict(first, "approve"), Verdict(second, "approve", "looks good")], "ann")
    assert [(one.proposal_id, one.reviewer) for one in report.before] == [(first, "bob")]
    assert [(one.proposal_id, one.reason) for one in report.decided] == [(second, "looks good")]
    assert report.waiting == (third,)
    again = campaign.decide_all([Verdict(second, "approve")], "ann")
    assert (again.decided, [one.reviewer for one in again.before]) == ((), ["ann"])


def test_the_deadline_is_the_first(make_campaign: Make) -> None:
    """Who is asked knows until when: the time-out counts from when a proposal was made."""
    campaign = make_campaign(review=REQUIRED)
    ids = campaign.ask()["proposal_id"].tolist()
    made = min(campaign.store.proposal(proposal_id).created_at for proposal_id in ids)
    assert campaign.deadline(ids) == made + timedelta(days=7)
    assert campaign.deadline([]) is None
    assert make_campaign(review={"mode": "required"}).deadline(ids) is None


def _configurations(campaign: Campaign) -> list[tuple]:
    """Return what is proposed, as tuples of values."""
    return [tuple(row) for row in campaign.proposals()[list(campaign.space.names)].to_numpy()]


def test_the_card_of_a_proposal_reads(make_campaign: Make, table: pd.DataFrame) -> None:
    """A stored proposal becomes a card with its neighbors among the measurements."""
    campaign = make_campaign(review=REQUIRED)
    campaign.tell(table.head(5))
    card = campaign.card(campaign.ask(1)["proposal_id"].iloc[0])
    assert card.n_measurements == 5
    assert len(card.neighbors) == 3
    assert card.interval[0] < card.mean < card.interval[1]
    assert f"Expected yield: {card.mean:.3g} %" in render_text(card)
