from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.errors import ConfigurationError, InputError
from discovery.session import Campaign

Make = Callable[..., Campaign]
PARAMETERS = ["catalyst", "residence_time", "temperature", "catalyst_loading"]


@pytest.fixture
def approved(make_campaign: Make) -> Campaign:
    """A campaign with two approved proposals."""
    campaign = make_campaign()
    campaign.ask()
    campaign.review_pending()
    return campaign


def test_trials_bring_measurements(approved: Campaign, table: pd.DataFrame) -> None:
    """Approved proposals are carried out, reported, ingested once, and their trials completed."""
    assert [trial.status for trial in approved.experiment()] == ["RUNNING"] * 2
    assert approved.ingest_results().n_added == 2
    measured = approved.measurements()
    expected = measured[PARAMETERS].merge(table, on=PARAMETERS, how="left")["yield"]
    assert measured["yield"].tolist() == expected.tolist()
    assert approved.store.trials("case-4")["status"].tolist() == ["COMPLETED"] * 2
    assert approved.ingest_results().n_added == 0
    assert approved.experiment() == []


def test_a_crash_between_report_and_ingestion_loses_nothing(approved: Campaign, make_campaign: Make) -> None:
    """A new process ingests what was reported and runs only what was not."""
    reported = approved.experiment()[:1]
    again = make_campaign()
    assert again.experiment() == []  # both have reported; neither is run again
    assert again.ingest_results().n_added == 2
    assert again.measurements()["trial_id"].iloc[0] == reported[0].trial_id


def test_a_crash_before_the_report_runs_the_same_trial_again(approved: Campaign, make_campaign: Make) -> None:
    """A trial that was started and never reported is taken up under the same id and idempotency key."""
    proposal_id = approved.proposals()["proposal_id"].iloc[0]
    started = approved.store.start_trial(proposal_id, "table", "gone-host:1", lease_s=-1.0)
    trials = make_campaign().experiment()
    assert trials[0].trial_id == started.trial_id
    assert trials[0].idempotency_key == started.idempotency_key
    assert len(trials) == 2


def test_a_campaign_without_an_experiment_says_so(make_campaign: Make) -> None:
    """Without `experiment` in the file the results have to be ingested."""
    with pytest.raises(ConfigurationError, match="must name an `experiment`"):
        make_campaign(experiment=None).experiment()


def test_a_configuration_that_cannot_be_run_is_given_up(
    make_campaign: Make, table: pd.DataFrame, tmp_path: Path
) -> None:
    """A trial that can never succeed is abandoned, does not block the budget, and is not proposed again."""
    path = tmp_path / "few.csv"
    table.head(12).to_csv(path, index=False)
    campaign = make_campaign(experiment={"type": "table", "path": str(path)}, budget={"experiments": 24})
    keys = set(campaign.space.keys(table.tail(12)))
    asked = campaign.ask(5)
    campaign.review_pending()
    trials = campaign.experiment()
    lost = [trial for trial in trials if trial.status == "ABANDONED"]
    assert len(lost) == len(keys & set(asked["key"])) > 0
    assert all("must stand in" in trial.error for trial in lost)
    campaign.ingest_results()
    progress = campaign.progress()
    assert (progress.n_open, progress.n_measurements) == (0, 5 - len(lost))
    assert not set(campaign.ask(2)["key"]) & set(asked["key"])


def test_a_report_of_what_was_narrowed_away_lands(approved: Campaign, make_campaign: Make) -> None:
    """What was measured was measured: it counts in the budget, ends its trial, and does not teach."""
    approved.experiment()
    narrow = [
        {"name": "catalyst", "type": "categorical", "values": ["P1-L1", "P1-L2"]},
        {"name": "residence_time", "type": "continuous", "bounds": [60, 61]},
        {"name": "temperature", "type": "continuous", "bounds": [30, 31]},
        {"name": "catalyst_loading", "type": "continuous", "bounds": [0.48, 0.5]},
    ]
    changed = make_campaign(parameters=narrow, candidates=None, experiment=None)
    report = changed.ingest_results()
    assert (report.n_added, report.n_rejected) == (2, 0)
    assert changed.store.trials("case-4")["status"].tolist() == ["COMPLETED"] * 2
    assert (changed.progress().n_measurements, len(changed.observations().y)) == (2, 0)
    assert len(make_campaign().observations().y) == 2


@pytest.mark.parametrize(("held", "status"), [(None, "ABANDONED"), ("none", "COMPLETED")])
def test_a_report_without_a_new_parameter_needs_its_held_value(
    approved: Campaign, make_campaign: Make, held: str | None, status: str
) -> None:
    """A report from before a parameter was added has its held value; without one its trial ends with the reason."""
    approved.experiment()
    salt = {"name": "salt", "type": "categorical", "values": ["none", "LiCl"], "held": held}
    parameters = [p.model_dump() for p in approved.spec.parameters]
    changed = make_campaign(parameters=[*parameters, salt], candidates=None, experiment=None)
    assert changed.ingest_results().n_added == (0 if held is None else 2)
    trials = changed.store.trials("case-4")
    assert trials["status"].tolist() == [status] * 2
    assert ("salt must be given" in trials["error"].iloc[0]) == (held is None)


def test_whatever_a_trial_says_beside_its_outcomes_lands(approved: Campaign) -> None:
    """A spectrum, a nested record or a cell that reads like a control does not keep a result out."""
    proposal_id = approved.proposals()["proposal_id"].iloc[0]
    trial = approved.store.start_trial(proposal_id, "http", "me")
    said = {"spectrum": [1.5, 2.5], "robot": {"arm": 2}, "control": "blank", "temperature": "warm", "note": None}
    approved.store.report_trial(trial.trial_id, {"yield": 12.0}, said)
    report = approved.ingest_results()
    assert (report.n_added, report.n_rejected) == (1, 0)
    assert approved.measurements()["yield"].tolist() == [12.0]
    assert approved.store.trial(trial.trial_id).extra == said


def test_results_that_nobody_proposed_are_welcome(make_campaign: Make, table: pd.DataFrame) -> None:
    """Lab results land, count against the budget, and are never proposed again."""
    campaign = make_campaign()
    report = campaign.tell(table.head(3))
    assert (report.n_added, report.n_unproposed) == (3, 3)
    assert campaign.progress().n_measurements == 3
    assert not set(campaign.ask()["key"]) & set(campaign.measurements()["key"])


@pytest.mark.parametrize("fate", ["rejected", "stale", "unknown"])
def test_a_result_for_a_proposal_that_was_not_approved_is_linked(make_campaign: Make, fate: str) -> None:
    """The lab ran it all the same: it lands as an unproposed measurement that names the proposal."""
    campaign = make_campaign(review={"mode": "required"})
    proposal_id = campaign.ask(1)["proposal_id"].iloc[0]
    if fate == "rejected":
        campaign.decide(proposal_id, "reject", "ann", "not in stock")
    if fate == "stale":
        campaign.store.decide(proposal_id, "stale", "time-out")
    row = campaign.proposals()[PARAMETERS].assign(**{"yield": 50.0})
    named = "case-4-c099-00" if fate == "unknown" else proposal_id
    report = campaign.tell(row.assign(proposal_id=named))
    assert (report.n_added, report.n_unproposed) == (1, 1)
    assert campaign.measurements()["proposal_id"].tolist() == [named]


def test_a_result_without_an_id_finds_its_proposal(make_campaign: Make, table: pd.DataFrame, tmp_path: Path) -> None:
    """A file with configurations only closes the proposals it answers, and a grown file adds its new rows only."""
    campaign = make_campaign(review={"mode": "required"}, experiment=None)
    asked = campaign.ask()
    for proposal_id in asked["proposal_id"]:
        campaign.decide(proposal_id, "approve", "ann")
    answers = asked[PARAMETERS].merge(table, on=PARAMETERS)
    answers.head(1).to_csv(tmp_path / "results.csv", index=False)
    assert campaign.tell(tmp_path / "results.csv").n_unproposed == 0
    assert campaign.progress().n_open == 1
    answers.to_csv(tmp_path / "results.csv", index=False)
    report = campaign.tell(tmp_path / "results.csv")
    assert (report.n_added, report.n_duplicates) == (1, 1)
    assert campaign.measurements()["proposal_id"].tolist() == asked["proposal_id"].tolist()


def test_bad_rows_stay_out_and_good_ones_land(make_campaign: Make, table: pd.DataFrame) -> None:
    """One bad cell keeps one row out, with the reason stored; a missing column refuses the whole table."""
    campaign = make_campaign()
    rows = table.head(3).astype(object)
    rows.loc[1, "temperature"] = "warm"
    report = campaign.tell(rows, source="bench")
    assert (report.n_added, report.n_rejected) == (2, 1)
    assert campaign.store.rejected_rows("case-4")["column"].tolist() == ["temperature"]
    assert set(campaign.measurements()["source"]) == {"bench"}
    with pytest.raises(InputError, match="'yield'"):
        campaign.tell(table[PARAMETERS])
    assert len(campaign.measurements()) == 2


def test_known_noise_reaches_the_model(make_campaign: Make, table: pd.DataFrame) -> None:
    """`<y>_sem` becomes a noise variance; a row without one counts as known exactly beside the model's own noise."""
    campaign = make_campaign()
    campaign.tell(table.head(2).assign(yield_sem=[2.0, None]))
    assert campaign.observations().yvar.tolist() == [4.0, 0.0]
    campaign.adapt()


def test_the_target_ends_the_campaign(make_campaign: Make, table: pd.DataFrame) -> None:
    """Once an outcome is as good as `stop.target` the campaign is over and says why."""
    campaign = make_campaign(stop={"target": 20})
    campaign.tell(table[table["yield"] < 20].head(1))
    assert not campaign.progress().is_finished
    campaign.tell(table[table["yield"] >= 20].head(1))
    progress = campaign.finish()
    assert progress.reason.startswith("The target is reached: yield")
    assert campaign.store.campaign("case-4").status == "FINISHED"
