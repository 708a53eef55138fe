"""A campaign explains its proposals with the belief that made them, whatever came later."""

from __future__ import annotations

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import InputError
from discovery.session import Campaign
from tests.session.free_campaign import FREE, ROWS


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign with four measurements and two proposals that wait."""
    folder = tmp_path_factory.mktemp("explaining")
    spec = CampaignSpec.from_mapping({**FREE, "hypotheses": [{"name": "no_transfer", "weight": 1.0}]}, folder)
    one = Campaign.open(spec, store=folder / "lab.duckdb", device="cpu")
    one.tell(ROWS)
    one.ask()
    return one


def test_an_explanation_agrees_with_what_was_stored(campaign: Campaign) -> None:
    """Effects lead to the stored mean, and the best is the best of what was measured before."""
    proposal_id = campaign.waiting()[0]
    found, stored = campaign.explain(proposal_id), campaign.store.proposal(proposal_id)
    assert found.drivers.start + sum(part.effect for part in found.drivers.parts) == pytest.approx(stored.mean)
    assert found.best == ROWS["yield"].max()
    assert {part.parameter for part in found.drivers.parts} == set(campaign.spec.parameter_names)
    assert found.card == campaign.card(proposal_id)


def test_nothing_is_stored(campaign: Campaign) -> None:
    """Explaining writes no metric, no evidence and no model."""

    def n_rows() -> list[int]:
        store = campaign.store
        return [len(store.metrics(campaign.name)), len(store.evidence(campaign.name)), len(store.models())]

    before = n_rows()
    campaign.explain(campaign.waiting()[0], plots=True)
    assert n_rows() == before


def test_an_outcome_that_nobody_foresees_is_refused(campaign: Campaign) -> None:
    """The refusal names the outcomes that there are."""
    with pytest.raises(InputError, match=r"got 'cost'. Known: yield"):
        campaign.explain(campaign.waiting()[0], "cost")


def test_what_cannot_be_explained_is_left_out(campaign: Campaign) -> None:
    """The short explanations for a page are of those proposals that can be explained, and need no lesson."""
    found = campaign.explanations([campaign.waiting()[0], "free-c099-00"])
    assert list(found) == [campaign.waiting()[0]]
    assert found[campaign.waiting()[0]].lesson is None


def test_later_measurements_change_nothing(campaign: Campaign) -> None:
    """An explanation is computed from what was known when the proposal was made."""
    proposal_id = campaign.waiting()[0]
    before = campaign.explain(proposal_id)
    campaign.tell(pd.DataFrame({"heat": [55.0], "ligand": ["B"], "yield": [99.0]}))
    after = Campaign.open(campaign.spec, store=campaign.store, device="cpu").explain(proposal_id)
    parts = ("drivers", "stance", "gain", "best", "lesson")
    assert [getattr(after, part) for part in parts] == [getattr(before, part) for part in parts]
