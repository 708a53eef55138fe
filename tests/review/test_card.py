from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from discovery.belief.records import HypothesisPrediction
from discovery.campaign import CampaignSpec
from discovery.review import make_card, render_text
from discovery.review.card import nearest
from discovery.space import SearchSpace
from discovery.store import ProposalRow

HERE = {"ligand": "A", "temperature": 60.0}


@pytest.fixture
def spec(tmp_path: Path) -> CampaignSpec:
    """A campaign over a ligand and a temperature."""
    return CampaignSpec.from_mapping(
        {
            "name": "lab",
            "parameters": [
                {"name": "ligand", "type": "categorical", "values": ["A", "B"]},
                {"name": "temperature", "type": "continuous", "bounds": [0, 100], "unit": "degC"},
            ],
            "outcomes": [{"name": "yield", "unit": "%"}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
        },
        tmp_path,
    )


@pytest.fixture
def proposal() -> ProposalRow:
    """A proposal that history argues for."""
    said = (
        HypothesisPrediction("no_transfer", 0.25, (0.0,), (50.0,), (20.0,), "no_transfer-1", 3),
        HypothesisPrediction("history", 0.75, (0.0,), (80.0,), (5.0,), "history-1", 3),
    )
    return ProposalRow(
        proposal_id="lab-c002-00",
        campaign="lab",
        cycle=2,
        position=0,
        status="PROPOSED",
        configuration=HERE,
        proposed=HERE,
        key='ligand="A"; temperature=60',
        X=(1.0, 0.0, 0.6),
        row=None,
        predictions=said,
        mean=72.5,
        sd=17.0,
        acqf_name="log_ei",
        acqf_value=1.0,
        argued_by="history",
        argument={"history": 0.83, "no_transfer": 0.17},
        is_exploring=False,
        n_measurements=3,
        seed=7,
        created_at=datetime.now(UTC),
    )


@pytest.fixture
def measured() -> pd.DataFrame:
    """Four experiments; the last came after the proposal was made."""
    return pd.DataFrame(
        {
            "measurement_id": ["m1", "m2", "m3", "m4"],
            "ligand": ["B", "A", "A", "A"],
            "temperature": [60.0, 50.0, 0.0, 59.0],
            "yield": [10.0, 70.0, 20.0, 99.0],
            "proposal_id": [None, None, None, "lab-c001-00"],
        }
    )


def test_a_neighbor_that_is_a_bound_or_in_doubt_says_so(
    proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec
) -> None:
    """A bound is read as one, never as a value, and a doubtful measurement is named where it is compared with."""
    bounded = measured.assign(yield_limit=["", "<", "", None])
    card = make_card(proposal, bounded, spec, SearchSpace.from_spec(spec))
    near = tuple(replace(one, is_doubtful=one.measurement_id == "m4") for one in card.neighbors)
    text = render_text(replace(card, neighbors=near))
    assert "m4: yield 99 %, with temperature 59 (distance 0.01; doubtful, `discovery status` says why)" in text
    assert "m2: yield < 70 %, with temperature 50 (distance 0.10)" in text


def test_the_card_ends_with_a_command_that_can_be_copied(
    proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec
) -> None:
    """The file is the one that was read, in quotes where the shell needs them; without a file it stands for one."""
    space = SearchSpace.from_spec(spec)
    assert render_text(make_card(proposal, measured, spec, space)).endswith("discovery explain FILE lab-c002-00")
    read = CampaignSpec.from_mapping(spec.model_dump(), spec.base_dir, source="my lab.yaml")
    assert render_text(make_card(proposal, measured, read, space)).endswith(
        "discovery explain 'my lab.yaml' lab-c002-00"
    )


def test_neighbors_come_by_encoded_distance(proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec) -> None:
    """The nearest three, nearest first, each with what is different there."""
    found = nearest(proposal, measured, "yield", SearchSpace.from_spec(spec))
    assert [neighbor.measurement_id for neighbor in found] == ["m4", "m2", "m3"]
    assert [neighbor.distance for neighbor in found] == pytest.approx([0.01, 0.1, 0.6])
    assert found[1].changes == {"temperature": 50.0}


def test_a_proposals_own_result_is_no_neighbor(
    proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec
) -> None:
    """After it was measured, a proposal is still compared with others only."""
    own = replace(proposal, proposal_id="lab-c001-00")
    found = nearest(own, measured, "yield", SearchSpace.from_spec(spec))
    assert [neighbor.measurement_id for neighbor in found] == ["m2", "m3", "m1"]
    assert nearest(proposal, measured.head(0), "yield", SearchSpace.from_spec(spec)) == ()


def test_the_card_says_what_was_known_then(proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec) -> None:
    """Best so far, weights and shares are those of the moment the proposal was made."""
    card = make_card(proposal, measured, spec, SearchSpace.from_spec(spec))
    assert "the best so far, 70" in card.intent
    assert [(view.name, view.weight, view.share) for view in card.hypotheses] == [
        ("history", 0.75, 0.83),
        ("no_transfer", 0.25, 0.17),
    ]
    assert card.interval[0] < 50 < card.mean < card.interval[1]


def test_the_text_holds_what_a_person_needs(proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec) -> None:
    """Configuration with units, prediction with interval, argument, neighbors, checkpoints and seed are all there."""
    text = render_text(make_card(proposal, measured, spec, SearchSpace.from_spec(spec)))
    for said in (
        "lab-c002-00  PROPOSED  (cycle 2 of lab)",
        "temperature: 60 degC",
        "Expected yield: 72.5 %, between",
        "history argues for it: 83 % of the expected improvement.",
        "history (it behaves like earlier campaigns): 80 ± 5 %, weight 75 %, 83 % of the argument",
        "m2: yield 70 %, with temperature 50 (distance 0.10)",
        "Made from 3 measurements with seed 7; checkpoints history-1, no_transfer-1.",
    ):
        assert said in text


def test_an_interval_ends_where_the_outcome_does(
    proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec
) -> None:
    """What lies beyond the stated range of the outcome is cut, and the card says so; elsewhere nothing is said."""
    free = make_card(proposal, measured, spec, SearchSpace.from_spec(spec))
    assert free.interval[1] > 70 and not free.is_cut and "cut at" not in render_text(free)
    bounded = spec.model_dump() | {"outcomes": [{"name": "yield", "unit": "%", "range": [40, 70]}]}
    narrow = CampaignSpec.from_mapping(bounded)
    card = make_card(proposal, measured, narrow, SearchSpace.from_spec(narrow))
    assert card.interval == (40.0, 70.0) and card.mean == proposal.mean
    said = "Expected yield: 70 %, between 40 and 70 with 90 % probability (cut at the range of yield)."
    assert said in render_text(card)


def test_an_edited_value_is_shown_beside_the_proposed_one(
    proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec
) -> None:
    """Who reads the card later sees both values."""
    edited = replace(proposal, configuration={**HERE, "temperature": 55.0})
    text = render_text(make_card(edited, measured, spec, SearchSpace.from_spec(spec)))
    assert "temperature: 55 degC   (proposed: 60)" in text


def test_the_first_card_of_a_campaign_reads(proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec) -> None:
    """With nobody arguing the card says that chance chose it, and nothing of what is expected there."""
    start = replace(proposal, n_measurements=0, acqf_name="random", argued_by="random", argument={})
    text = render_text(make_card(start, measured.head(0), spec, SearchSpace.from_spec(spec)))
    assert "Chance chose it" in text
    assert "expects most" not in text and "Made from 0 measurements" in text
    assert "No past experiment to compare with." in text
