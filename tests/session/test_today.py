"""What a person says about today holds for the proposals of one cycle, and is stored with them."""

from collections.abc import Callable

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import InputError, NoCandidateError
from discovery.review import render_text
from discovery.session import Campaign
from discovery.session.proposals import today_of
from discovery.space.today import Today
from tests.session.free_campaign import FREE, HEAT, LIGAND, ROWS

Make = Callable[..., Campaign]
DOSE = {"name": "dose", "type": "discrete", "values": [1, 2, 3], "unit": "g"}


@pytest.fixture
def open_free(tmp_path):
    """Return a function that opens the campaign in a free space with its four measurements."""

    def make(**changes):
        spec = CampaignSpec.from_mapping(FREE | {"budget": {"experiments": 20}} | changes, tmp_path)
        campaign = Campaign.open(spec, store=tmp_path / "free.duckdb", device="cpu")
        if "dose" not in spec.parameter_names:
            campaign.tell(ROWS)
        return campaign

    return make


def test_a_context_parameter_is_given(open_free):
    """Proposals have the value that is given, the card says so, and a replay computes them again."""
    campaign = open_free(parameters=[{**HEAT, "context": True, "unit": "degC"}, LIGAND])
    asked = campaign.ask(2, given={"heat": "23.5"}, without={"ligand": "A"})
    assert asked["heat"].tolist() == [23.5, 23.5]
    assert set(asked["ligand"]) == {"B", "C"}
    assert "Given: heat 23.5 degC. Without: ligand A." in render_text(campaign.card(asked["proposal_id"][0]))
    assert all(campaign.replay(proposal_id).is_equal for proposal_id in asked["proposal_id"])


def test_without_a_value_nothing_is_proposed(open_free):
    """A context parameter that nobody gives is a clear error that names the flag, whatever `held` says."""
    campaign = open_free(parameters=[{**HEAT, "context": True, "held": 20.0}, LIGAND])
    with pytest.raises(InputError, match="heat must be given to propose") as caught:
        campaign.ask(1)
    assert "--given heat=VALUE" in caught.value.hint
    assert campaign.proposals().empty


@pytest.mark.parametrize(
    ("given", "without", "said"),
    [
        ({"heta": 20}, {}, "Did you mean 'heat'"),
        ({}, {"lignad": "A"}, "Did you mean 'ligand'"),
        ({"heat": 120}, {}, "heat must be between 0 and 100; got '120'"),
        ({"heat": "hot"}, {}, "heat must be a number"),
        ({"ligand": "D"}, {}, "ligand must be one of A, B, C"),
        ({}, {"ligand": ["A", "a"]}, "ligand must be one of A, B, C"),
        ({}, {"heat": 50}, "must be without a range such as 90..110"),
        ({}, {"heat": "90..80"}, "must go from low to high"),
        ({}, {"heat": "200.."}, "must lie within 0 to 100"),
        ({}, {"dose": "1.2..1.8"}, "must hold one of 1, 2, 3"),
        ({"heat": 20}, {"heat": "10..30"}, "must not be given as 20 and be without it"),
        ({}, {"ligand": []}, "must name a value"),
    ],
)
def test_what_is_unknown_is_refused(open_free, given, without, said):
    """Names and values that do not exist are refused with what is known."""
    campaign = open_free(parameters=[HEAT, LIGAND, DOSE])
    with pytest.raises(InputError, match=said):
        campaign.today(given, without)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("90..", ((90.0, 100.0),)),
        ("..40", ((0.0, 40.0),)),
        ("-5..1e1", ((0.0, 10.0),)),
        ((20, 30), ((20.0, 30.0),)),
        (["20..30", (40, None)], ((20.0, 30.0), (40.0, 100.0))),
    ],
)
def test_ranges_are_read(open_free, said, read):
    """Ranges come as text or as two numbers, and end where the parameter does."""
    assert open_free().today(without={"heat": said}).without == {"heat": read}


def test_numbers_of_a_list_are_read(open_free):
    """Two numbers in a list are two values, in a tuple a range."""
    campaign = open_free(parameters=[HEAT, LIGAND, DOSE])
    assert campaign.today(without={"dose": ["1", 3]}).without == {"dose": (1.0, 3.0)}
    assert campaign.today(without={"dose": (1, 2)}).without == {"dose": ((1.0, 2.0),)}
    sentence = campaign.today({"ligand": "A"}, {"dose": ["..2", 3.0][:1]}).sentence(campaign.spec)
    assert sentence == "Given: ligand A. Without: dose 1 to 2 g."


def test_what_is_stored_is_what_was_said(open_free):
    """The plan of the cycle holds given and missing values; cycles without any hold none."""
    campaign = open_free()
    campaign.ask(1, given={"ligand": "B"}, without={"heat": ["..20", "80.."]})
    campaign.ask(1)
    metrics = campaign.store.metrics(campaign.name)
    assert today_of(metrics, 1) == Today({"ligand": "B"}, {"heat": ((0.0, 20.0), (80.0, 100.0))})
    assert today_of(metrics, 2) == today_of(metrics, 9) == Today()


@pytest.mark.parametrize("initial", [0, 8])
def test_rows_of_a_table(make_campaign: Make, make_spec: Callable, table: pd.DataFrame, initial: int) -> None:
    """Where candidates hold the context column, only rows with the value are proposed, random starts too."""
    catalyst = table["catalyst"].value_counts().index[0]
    parameters = [
        {**one.model_dump(mode="json", exclude_defaults=True), "context": one.name == "catalyst"}
        for one in make_spec().parameters
    ]
    campaign = make_campaign(parameters=parameters, budget={"experiments": 20, "initial": initial})
    asked = campaign.ask(2, given={"catalyst": catalyst}, without={"temperature": "100.."})
    assert set(asked["catalyst"]) == {catalyst}
    assert (asked["temperature"] <= 100).all()
    assert campaign.replay(asked["proposal_id"].iloc[-1]).is_equal
    with pytest.raises(NoCandidateError, match=r"No candidate is left today: .* of 24 candidates have catalyst"):
        campaign.ask(1, given={"catalyst": catalyst}, without={"temperature": ["30..110"]})


@pytest.mark.parametrize("initial", [0, 2, 9])
def test_a_batch_shares_a_value(make_campaign: Make, initial: int) -> None:
    """Random starts and what the belief wants have one value together, and a replay computes them again."""
    rules = [{"type": "batch", "parameters": ["temperature"]}]
    campaign = make_campaign(constraints=rules, budget={"experiments": 20, "initial": initial})
    asked = campaign.ask(4)
    assert asked["temperature"].nunique() == 1
    assert asked["key"].nunique() == len(asked) >= 2
    assert campaign.replay(asked["proposal_id"].iloc[-1]).is_equal


@pytest.mark.parametrize("initial", [0, 2])
def test_changes_are_few_where_they_are_dear(make_campaign: Make, initial: int) -> None:
    """A batch after a measurement keeps the catalyst where changing it costs more than anything can gain."""
    options = {"name": "log_ei", "batch_size": 3, "changeover": {"catalyst": 1000.0}}
    campaign = make_campaign(acquisition=options, budget={"experiments": 20, "initial": initial})
    asked = campaign.ask()
    assert asked["catalyst"].nunique() <= 1 + initial
    changes = int((asked["catalyst"] != asked["catalyst"].shift()).sum()) - 1
    assert changes == asked["catalyst"].nunique() - 1
    assert campaign.replay(asked["proposal_id"][0]).is_equal


@pytest.mark.parametrize("initial", [0, 2])
def test_candidates_without_the_context(open_free, tmp_path, initial):
    """Where the file has no column of the context, every candidate can be made at every value, again and again."""
    pd.DataFrame({"ligand": ["A", "B", "C"]}).to_csv(tmp_path / "ligands.csv", index=False)
    changes = {"parameters": [{**HEAT, "context": True}, LIGAND], "candidates": "ligands.csv"}
    campaign = open_free(**changes, constraints=["heat <= 80"], budget={"experiments": 20, "initial": 4 + initial})
    asked = campaign.ask(3, given={"heat": 40})
    assert (asked["heat"].tolist(), set(asked["ligand"])) == ([40.0] * 2, {"A", "C"})  # B is measured there
    again = campaign.ask(3, given={"heat": 41.5}, without={"ligand": "C"})
    assert set(again["ligand"]) == {"A", "B"} and set(again["heat"]) == {41.5}
    assert all(campaign.replay(i).is_equal for i in [*asked["proposal_id"], *again["proposal_id"]])
    edited = campaign.decide(again["proposal_id"][0], "edit", "ann", "cooler today", {"heat": 39})
    assert edited.configuration["heat"] == 39.0
    assert not campaign.progress().is_finished
    with pytest.raises(NoCandidateError, match="none of 3 meets the constraints at heat = 90"):
        campaign.ask(1, given={"heat": 90})


@pytest.mark.parametrize("initial", [0, 2])
def test_streamed_candidates_are_cut_down_too(make_campaign: Make, make_spec: Callable, monkeypatch, initial) -> None:
    """Candidates that are read in passes keep to today, to one value per batch and to few changes."""
    from discovery.space import pool as pool_room

    monkeypatch.setattr(pool_room, "STREAM_ABOVE", 5)
    rules = [{"type": "batch", "parameters": ["temperature"]}]
    options = {"name": "log_ei", "batch_size": 2, "changeover": {"catalyst": 1000.0}}
    budget = {"experiments": 20, "initial": initial}
    campaign = make_campaign(constraints=rules, acquisition=options, budget=budget, experiment=None)
    asked = campaign.ask(without={"temperature": "..50"})
    assert len(asked) >= 1 and asked["temperature"].nunique() == 1
    assert (asked["temperature"] >= 50).all()
    assert asked["catalyst"].nunique() == 1 or initial
    assert campaign.replay(asked["proposal_id"].iloc[-1]).is_equal
    with pytest.raises(NoCandidateError):
        campaign.ask(given={"temperature": 77.7})
