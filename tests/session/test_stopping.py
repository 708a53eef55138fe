"""Stopping by expected gain: advice that is said, stored, kept to, and overruled by whoever wants to."""

from collections.abc import Callable

import pandas as pd
import pytest

from discovery.errors import StopAdvisedError
from discovery.session import Campaign
from discovery.session.stopping import ExpectedGain, read_gains, stop_sentence

Make = Callable[..., Campaign]
GREEDY = {"stop": {"min_gain": 60.0}, "budget": {"experiments": 20}}


def gains(campaign: Campaign) -> list[ExpectedGain]:
    return read_gains(campaign.store.metrics(campaign.name))


def test_a_campaign_ends_where_little_is_to_be_gained(make_campaign: Make, table: pd.DataFrame) -> None:
    """Nothing is proposed, the campaign has ended, and the sentence says what was expected and what is asked for."""
    campaign = make_campaign(**GREEDY)
    campaign.tell(table.head(6))
    with pytest.raises(StopAdvisedError) as advice:
        campaign.ask()
    assert "Stopped after 6 of 20: each of the next 2 experiments is expected to gain" in advice.value.message
    assert "% yield, less than the 60 % yield asked for (stop.min_gain)." in advice.value.message
    progress = campaign.progress()
    assert (progress.is_finished, progress.ended_by) == (True, "gain")
    assert progress.reason == advice.value.message
    assert campaign.store.campaign("case-4").status == "FINISHED"
    assert len(campaign.proposals()) == 0
    assert not campaign.store.evidence("case-4").empty  # where the belief stood then is kept


def test_the_team_may_go_on_all_the_same(make_campaign: Make, table: pd.DataFrame) -> None:
    """Going on makes proposals and opens the campaign again; after their results it is advised anew."""
    campaign = make_campaign(**GREEDY)
    campaign.tell(table.head(6))
    with pytest.raises(StopAdvisedError):
        campaign.ask()
    assert len(campaign.ask(go_on=True)) == 2
    assert not campaign.progress().is_finished
    assert campaign.store.campaign("case-4").status == "ACTIVE"
    campaign.review_pending()
    campaign.experiment()
    campaign.ingest_results()
    assert not campaign.progress().is_finished  # advice is of the measurements it was computed from
    with pytest.raises(StopAdvisedError, match="after 8 of 20"):
        campaign.ask()


def test_asking_for_less_goes_on(make_campaign: Make, table: pd.DataFrame) -> None:
    """A smaller `stop.min_gain` in the file is a new version of the campaign, which has not ended."""
    campaign = make_campaign(**GREEDY)
    campaign.tell(table.head(6))
    with pytest.raises(StopAdvisedError):
        campaign.ask()
    modest = make_campaign(**GREEDY | {"stop": {"min_gain": 1e-9}})
    assert not modest.progress().is_finished
    assert len(modest.ask()) == 2


def test_a_result_that_nobody_asked_for_goes_on(make_campaign: Make, table: pd.DataFrame) -> None:
    """Advice holds as long as nothing new is known."""
    campaign = make_campaign(**GREEDY)
    campaign.tell(table.head(6))
    with pytest.raises(StopAdvisedError):
        campaign.ask()
    campaign.tell(table.iloc[6:7])
    assert not campaign.progress().is_finished


def test_few_measurements_end_no_campaign(make_campaign: Make, table: pd.DataFrame) -> None:
    """A belief that has seen fewer than five measurements advises nothing; before the first there is no gain."""
    campaign = make_campaign(**GREEDY)
    assert len(campaign.ask(1)) == 1
    assert gains(campaign) == []
    campaign.tell(table.head(4))
    assert len(campaign.ask(1)) == 1
    assert gains(campaign)[-1].per_experiment < 60


def test_gains_are_kept_for_every_cycle_whatever_is_asked_for(make_campaign: Make, table: pd.DataFrame) -> None:
    """Without `stop.min_gain` nothing ends, and what each batch was expected to bring is stored for the report."""
    campaign = make_campaign()
    campaign.tell(table.head(3))
    campaign.ask(2)
    campaign.ask(1)
    first, second = gains(campaign)
    assert (first.n, second.n, first.n_measurements, first.is_stored) == (2, 1, 3, True)
    assert first.per_experiment > 0
    assert campaign.progress().ended_by == ""


def test_random_starts_have_no_expected_gain(make_campaign: Make, table: pd.DataFrame) -> None:
    """Chance expects nothing, and random starts are never stopped."""
    campaign = make_campaign(**GREEDY | {"budget": {"experiments": 20, "initial": 8}})
    campaign.tell(table.head(6))
    assert campaign.ask()["acqf_name"].tolist() == ["random", "random"]
    assert gains(campaign) == []


def test_one_experiment_is_spoken_of_as_one(make_campaign: Make) -> None:
    """The sentence counts experiments as people do."""
    spec = make_campaign(stop={"min_gain": 0.5}, budget={"experiments": 40}).spec
    assert stop_sentence(ExpectedGain(0.2, 1, 17, is_stored=False), spec) == (
        "Stopped after 17 of 40: the next experiment is expected to gain 0.2 % yield, less than the 0.5 % yield asked "
        "for (stop.min_gain)."
    )


TURNOVER = {"outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}, {"name": "turnover", "range": [0, 200]}]}
FRONT = {"objectives": [{"name": "yield"}, {"name": "turnover"}], **TURNOVER}
AIMS = [
    ({"objectives": [{"name": "yield", "goal": "hits", "threshold": 99}]}, 0.9, "hits, less than the 0.9 hits asked"),
    ({"objectives": [{"name": "yield", "goal": "match", "target": 30}]}, 60.0, "% yield towards what is to be matched"),
    (FRONT, 0.99, "% of the hypervolume, less than the 99 % of the hypervolume"),
    ({"objectives": [{"name": "yield"}], "outcome_constraints": ["turnover >= 20"], **TURNOVER}, 90.0, "% yield, less"),
]


SLOW = {"front", "limit"}
NAMED = zip(["hits", "match", "front", "limit"], AIMS, strict=True)


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [pytest.param(*aim, id=name, marks=[pytest.mark.slow] if name in SLOW else []) for name, aim in NAMED],
)
def test_every_goal_ends_by_gain_in_its_own_unit(
    make_campaign: Make, table: pd.DataFrame, changes: dict, asked: float, said: str
) -> None:
    """Less expected gain than is asked for ends the campaign in a sentence; going on all the same opens it again."""
    campaign = make_campaign(**changes, stop={"min_gain": asked}, budget={"experiments": 20})
    campaign.tell(table.iloc[3:10].assign(turnover=150 - table["temperature"]))
    with pytest.raises(StopAdvisedError, match="is expected to gain") as caught:
        campaign.ask(1)
    assert said in str(caught.value) and campaign.progress().ended_by == "gain"
    assert len(campaign.ask(1, go_on=True)) == 1 and campaign.progress().ended_by == ""
    (first, second) = gains(campaign)
    assert first.per_experiment == pytest.approx(second.per_experiment) and not first.is_stored and second.is_stored
