from collections.abc import Callable

import pandas as pd
import pytest

from discovery.errors import InputError, StatusError
from discovery.review import render_text
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
    with pytest.raises(StatusError):
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


def test_the_card_of_a_proposal_reads(make_campaign: Make, table: pd.DataFrame) -> None:
    """A stored proposal becomes a card with its neighbors among the measurements."""
    campaign = make_campaign(review=REQUIRED)
    campaign.tell(table.head(5))
    card = campaign.card(campaign.ask(1)["proposal_id"].iloc[0])
    assert card.n_measurements == 5
    assert len(card.neighbors) == 3
    assert card.interval[0] < card.mean < card.interval[1]
    assert f"Expected yield: {card.mean:.3g} %" in render_text(card)
