from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from discovery.errors import InputError, NoCandidateError
from discovery.seeds import rng
from discovery.session import Campaign
from discovery.space import MeasuredPool

Make = Callable[..., Campaign]
PARAMETERS = ["catalyst", "residence_time", "temperature", "catalyst_loading"]
HISTORY = {"history": ["case_1.csv", "case_2.csv"]}


def test_ask_and_tell_is_the_whole_loop(make_campaign: Make, table: pd.DataFrame) -> None:
    """A person with a table of results needs ask and tell, and nothing else."""
    campaign = make_campaign(experiment=None, budget={"experiments": 4})
    while not campaign.progress().is_finished:
        asked = campaign.ask()
        answers = asked[["proposal_id", *PARAMETERS]].merge(table, on=PARAMETERS)
        assert campaign.tell(answers).n_added == len(asked) == 2
    measured = campaign.measurements()
    assert len(measured) == 4
    assert not measured.duplicated("key").any()
    assert measured["proposal_id"].tolist() == campaign.proposals()["proposal_id"].tolist()


def test_what_is_asked_is_stored_with_its_predictions(make_campaign: Make) -> None:
    """Every proposal comes with prediction, cycle and status, and the belief behind it is in the ledger."""
    campaign = make_campaign()
    asked = campaign.ask(3)
    assert asked.columns[:8].tolist() == ["proposal_id", *PARAMETERS, "yield_pred", "yield_sd", "cycle"]
    assert asked["status"].tolist() == ["PROPOSED"] * 3
    assert np.isfinite(asked[["yield_pred", "yield_sd"]].to_numpy()).all()
    assert campaign.store.evidence("case-4")["hypothesis"].tolist() == ["no_transfer"]
    pd.testing.assert_frame_equal(campaign.proposals(), asked)


def test_a_restart_changes_nothing(make_campaign: Make, run_cycle: Callable) -> None:
    """The same seed proposes the same in another store, with a new object for every cycle; nothing is repeated."""
    changes = {"budget": {"experiments": 6, "initial": 1}, "experience": HISTORY}
    whole = make_campaign(**changes)
    expected = [run_cycle(whole)["key"].tolist() for _ in range(2)]
    found = [run_cycle(make_campaign("other.duckdb", **changes))["key"].tolist() for _ in range(2)]
    assert found == expected
    assert len({key for keys in found for key in keys}) == 4


def test_open_and_rejected_proposals_are_not_proposed_again(make_campaign: Make) -> None:
    """What waits, runs or was rejected stays out of the next batch."""
    campaign = make_campaign()
    first = campaign.ask()
    campaign.decide(first["proposal_id"][0], "reject", "ann", "not in stock")
    campaign.decide(first["proposal_id"][1], "approve", "ann")
    second, third = campaign.ask(), make_campaign().ask()
    keys = [*first["key"], *second["key"], *third["key"]]
    assert len(set(keys)) == 6


def test_the_budget_counts_measured_and_open(make_campaign: Make, run_cycle: Callable) -> None:
    """No more is asked than the budget leaves, and nothing once it is spoken for."""
    campaign = make_campaign(budget={"experiments": 5})
    run_cycle(campaign)
    assert len(campaign.ask(10)) == 3
    with pytest.raises(NoCandidateError, match="2 are measured and 3 proposals are open, of 5"):
        campaign.ask()
    assert not campaign.progress().is_finished


def test_a_pool_that_is_used_up_ends_the_campaign(make_campaign: Make, run_cycle: Callable) -> None:
    """With a budget beyond the pool the campaign ends when no candidate is left, and says so."""
    grid = [{"name": "ligand", "type": "categorical", "values": ["A", "B", "C"]}]
    campaign = make_campaign(parameters=grid, candidates=None, experiment=None, budget={"experiments": 9})
    asked = campaign.ask(9)
    assert len(asked) == 3
    campaign.tell(asked.assign(**{"yield": [1.0, 2.0, 3.0]}))
    assert campaign.progress().is_finished
    assert "No candidate is left" in campaign.progress().reason
    with pytest.raises(NoCandidateError):
        campaign.ask()


def test_asking_for_nothing_is_refused(make_campaign: Make) -> None:
    """Less than one proposal is no question."""
    with pytest.raises(InputError, match="at least 1; got 0"):
        make_campaign().ask(0)


def test_the_first_experiments_are_random_like_a_backtests(make_campaign: Make, run_cycle: Callable) -> None:
    """`budget.initial` random starts come first, across batches, in the order that a backtest uses."""
    campaign = make_campaign(budget={"experiments": 6, "initial": 3}, seed=7)
    batches = [run_cycle(campaign) for _ in range(3)]
    order = rng(7, "initial experiments").permutation(len(campaign.pool))
    found = pd.concat(batches)
    assert found["acqf_name"].tolist() == ["random"] * 3 + ["log_ei"] * 3
    assert sorted(found["key"][:2]) == sorted(campaign.pool.keys[i] for i in order[:2])
    assert found["key"].iloc[2] == campaign.pool.keys[order[2]]


@pytest.mark.parametrize(("goal", "better"), [("maximize", max), ("minimize", min)])
def test_the_goal_decides_what_is_best(make_campaign: Make, table: pd.DataFrame, goal: str, better: Callable) -> None:
    """With the goal turned around, progress names the lowest outcome and the search leans to low ones."""
    campaign = make_campaign(objectives=[{"name": "yield", "goal": goal}], budget={"experiments": 24})
    campaign.tell(table.head(16))
    assert campaign.progress().best["yield"] == better(table["yield"].head(16))
    asked, left = campaign.ask(1)[PARAMETERS].merge(table, on=PARAMETERS)["yield"][0], table["yield"].tail(8)
    assert better(asked, left.median()) == asked


def test_without_range_and_history_the_first_measurement_sets_the_scale(
    make_campaign: Make, run_cycle: Callable, table: pd.DataFrame
) -> None:
    """A campaign that knows nothing about its outcome works from the first experiment, whatever the unit."""
    campaign = make_campaign(outcomes=[{"name": "yield"}])
    assert campaign.hypotheses()[0].learner.scale.is_anchored
    run_cycle(campaign)
    asked = run_cycle(campaign)
    low, high = table["yield"].min(), table["yield"].max()
    assert asked["yield_pred"].between(low - 2 * (high - low), high + 2 * (high - low)).all()
    assert campaign.replay(asked["proposal_id"][1]).is_equal


def test_a_space_without_a_pool_is_searched_freely(make_campaign: Make, run_cycle: Callable) -> None:
    """Continuous parameters, constraints and a simulator as the laboratory: no list of candidates is needed."""
    campaign = make_campaign(
        parameters=[
            {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"},
            {"name": "time", "type": "continuous", "bounds": [60, 600], "unit": "s"},
        ],
        constraints=["temperature + 0.1*time <= 120"],
        candidates=None,
        experiment={"type": "simulator", "name": "gp_prior"},
        acquisition={"batch_size": 1},
        budget={"experiments": 2, "initial": 1},
    )
    found = pd.concat([run_cycle(campaign), run_cycle(campaign)])
    measured = campaign.measurements()
    assert campaign.pool is None
    assert found["acqf_name"].tolist() == ["random", "log_ei"]
    assert measured["key"].tolist() == found["key"].tolist() and found["key"].is_unique
    assert (measured["temperature"] + 0.1 * measured["time"] <= 120 + 1e-6).all()
    assert [campaign.replay(proposal_id).differences for proposal_id in found["proposal_id"]] == [(), ()]


def test_replicates_are_proposed_only_where_they_are_asked_for(make_campaign: Make) -> None:
    """One candidate, two experiments: with allow_replicates it is measured twice."""
    one = [{"name": "ligand", "type": "categorical", "values": ["A"]}]
    changes = {"parameters": one, "candidates": None, "experiment": None, "budget": {"experiments": 2}}
    campaign = make_campaign(**changes, acquisition={"allow_replicates": True})
    for outcome in (50.0, 60.0):
        campaign.tell(campaign.ask(1).assign(**{"yield": outcome}))
    assert campaign.measurements()["yield"].tolist() == [50.0, 60.0]


def test_a_replay_equals_what_was_stored(make_campaign: Make, run_cycle: Callable) -> None:
    """Any proposal can be computed again later, from a new object, with measurements that came since left out."""
    campaign = make_campaign(budget={"experiments": 8, "initial": 1})
    run_cycle(campaign)
    campaign.ask(1)  # open while the next cycle is planned
    run_cycle(campaign)
    again = make_campaign(budget={"experiments": 8, "initial": 1})
    replays = [again.replay(proposal_id) for proposal_id in again.proposals()["proposal_id"]]
    assert [replay.differences for replay in replays] == [()] * 5
    assert all(replay.is_equal and replay.stored.key == replay.recomputed.key for replay in replays)


def test_a_replay_says_what_differs(make_campaign: Make, run_cycle: Callable) -> None:
    """After a correction of an early measurement a later proposal is no longer what it was, and the replay says so."""
    from discovery.ingest import check_rows, read_rows

    campaign = make_campaign()
    run_cycle(campaign)
    last = run_cycle(campaign)["proposal_id"].iloc[0]
    first = campaign.measurements().iloc[[0]]
    wrong = first[PARAMETERS].assign(**{"yield": 100.0 - first["yield"]})
    checked = check_rows(read_rows(wrong), campaign.spec, campaign.space)
    campaign.store.supersede(first["measurement_id"].iloc[0], checked, "typed wrongly")
    replay = campaign.replay(last)
    assert not replay.is_equal
    assert any(text.startswith("mean: stored") for text in replay.differences)


def test_proposals_know_no_outcome_of_their_table(make_campaign: Make) -> None:
    """The pool that proposals come from has no outcome column, although the file has one."""
    campaign = make_campaign()
    assert "yield" not in campaign.pool.frame
    assert "yield" in MeasuredPool.from_spec(campaign.spec, campaign.space).outcomes
