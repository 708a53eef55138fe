"""The campaign flow: it ends, it waits for people, it goes on where it stopped, and it gives up when nothing works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.session import Campaign
from discovery.session.leases import lease_name
from flows.progress import CycleSummary, TrainingStep, listening

STAGES = ("meta_train", "adapt", "propose", "review", "experiment", "ingest", "refine")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable:
    """The campaign flow's function, with flows and steps as plain functions and no pages to show artifacts on."""
    from flows import adapt, campaign, experiment, ingest, meta_train, propose, refine, review

    for module in (meta_train, adapt, propose, review, experiment, ingest, refine):
        for name in [name for name in vars(module) if name.endswith("_step")]:
            monkeypatch.setattr(module, name, getattr(module, name).fn)
    monkeypatch.setattr(propose, "publish_proposals", lambda *_: None)
    monkeypatch.setattr(ingest, "publish_cycle", lambda *_: None)
    monkeypatch.setattr(meta_train, "publish_models", lambda *_: None)
    for name in STAGES:
        monkeypatch.setattr(campaign, name, getattr(campaign, name).fn)
    return campaign.campaign.fn


@pytest.mark.flow
def test_a_campaign_runs_to_its_end_on_a_server(prefect, write):
    """The budget is spent in cycles of named flow runs with artifacts; running it again does nothing."""
    from flows.campaign import campaign

    file = write(budget={"experiments": 4}, experience={"simulators": [{"name": "gp_prior"}]})
    heard: list[object] = []
    with listening(heard.append):
        outcome = campaign(str(file))
    assert (outcome.state, outcome.n_cycles, outcome.n_measurements) == ("finished", 2, 4)
    assert "4 measurements" in outcome.refinement
    one = Campaign.open(file)
    assert one.store.campaign(one.name).status == "FINISHED"
    assert one.measurements()["ligand"].is_unique
    assert (campaign(str(file)).n_cycles, len(one.measurements())) == (0, 4)
    names, keys = _shown(prefect)
    assert {"Lab_1 campaign", "Lab_1 meta-train", "Lab_1 c002 propose", "Lab_1 c001 ingest", "Lab_1 refine"} <= names
    pages = {
        "proposals",
        "cycles",
        "progress",
        "hypotheses",
        "calibration",
        "models",
        "meta-training-simulator-gp-prior",
    }
    assert {f"lab-1-{page}" for page in pages} <= keys
    trained = [event for event in heard if isinstance(event, TrainingStep)]
    assert trained[-1].step == trained[-1].steps
    assert [event.cycle for event in heard if isinstance(event, CycleSummary)] == [1, 2]


def test_a_campaign_waits_for_people_and_goes_on(run, write):
    """With review required the flow ends and says which command continues; after the decision it goes on from there."""
    file = write(review={"mode": "required"}, budget={"experiments": 2})
    waiting = run(str(file))
    assert (waiting.state, waiting.n_cycles, waiting.n_measurements) == ("waiting", 1, 0)
    assert waiting.next_command == f"discovery review {file} --approve ID"
    assert run(str(file)).n_cycles == 0  # the same two proposals wait still
    one = Campaign.open(file)
    first, second = one.proposals()["proposal_id"]
    one.decide(first, "approve", "Ada")
    one.decide(second, "reject", "Ada", "too dear")
    assert run(str(file), auto_approve=True).state == "finished"
    assert one.measurements()["proposal_id"].tolist() == [first, "Lab_1-c002-00"]


@pytest.mark.slow
def test_a_campaign_ends_where_little_is_to_be_gained_and_is_overruled(run, write):
    """`stop.min_gain` ends the run with its sentence and the command that goes on; that command spends the budget."""
    file = write(stop={"min_gain": 500.0}, budget={"experiments": 10})
    ended = run(str(file))
    assert ended.state == "finished" and ended.n_measurements >= 5
    assert ended.reason.startswith(f"Stopped after {ended.n_measurements} of 10: ")
    assert ended.next_command == f"discovery run {file} --continue"
    assert (run(str(file)).n_cycles, Campaign.open(file).store.campaign("Lab_1").status) == (0, "FINISHED")
    went_on = run(str(file), go_on=True)
    assert went_on.n_measurements > ended.n_measurements and "Stopped" not in went_on.reason


def test_a_campaign_without_an_experiment_waits_for_results(run, write):
    """Where the laboratory is people, the flow ends with the proposals approved and the command for results."""
    file = write(experiment=None, budget={"experiments": 4})
    outcome = run(str(file))
    assert outcome.state == "waiting" and "2 approved" in outcome.reason
    assert outcome.next_command == f"discovery ingest {file} RESULTS.csv"
    one = Campaign.open(file)
    results = one.proposals()[["ligand"]].assign(**{"yield": [60.0, 70.0]})
    assert one.tell(results).n_added == 2
    assert run(str(file)).n_measurements == 2
    assert set(one.proposals()["cycle"]) == {1, 2}


def test_a_campaign_waits_for_a_laboratory_of_people(run, write):
    """Trials that were handed over as a sheet are awaited and not handed over again; their results let it go on."""
    file = write(experiment={"type": "manual"}, budget={"experiments": 4})
    waiting = run(str(file))
    assert (waiting.state, waiting.reason) == ("waiting", "Results are awaited of 2 trials.")
    assert waiting.next_command == f"discovery ingest {file} RESULTS"
    assert run(str(file)).n_cycles == 0
    one = Campaign.open(file)
    assert (one.progress().n_running, len(one.store.trials(one.name))) == (2, 2)
    one.tell(one.proposals()[["proposal_id", "ligand"]].assign(**{"yield": [60.0, 70.0]}))
    assert run(str(file)).n_cycles == 1
    assert set(one.store.trials(one.name)["status"]) == {"COMPLETED", "RUNNING"}


def test_a_campaign_pauses_and_its_ledger_is_complete(run, write):
    """`cycles` stops a campaign in between and the next run goes on; the ledger counts every measurement."""
    file = write(budget={"experiments": 4}, review={"mode": "required"})
    first, second = (run(str(file), cycles=1, auto_approve=True) for _ in range(2))
    assert [(o.state, o.n_cycles, o.n_measurements) for o in (first, second)] == [("paused", 1, 2), ("finished", 1, 4)]
    assert first.next_command == f"discovery run {file}"
    evidence = Campaign.open(file).store.evidence("Lab_1")
    assert evidence.groupby("cycle")["n_measurements"].max().to_dict() == {1: 0, 2: 2, 3: 4}


def test_a_campaign_whose_experiments_all_fail_says_why(run, write, tmp_path):
    """When no experiment gives a result the flow ends with the last error instead of going on for ever."""
    (tmp_path / "pool.csv").write_text("ligand\nL01\nL02\nL03\nL04\nL05\nL06\n")
    (tmp_path / "other.csv").write_text("ligand,yield\nL06,50.0\n")
    file = write(candidates="pool.csv", experiment={"type": "table", "path": "other.csv"}, acquisition={})
    outcome = run(str(file))
    assert outcome.state == "stuck" and outcome.n_measurements == 0
    assert "No experiment succeeded" in outcome.reason and "ligand" in outcome.reason


def test_results_that_were_reported_before_a_crash_are_ingested_first(run, write):
    """A run that stopped between experiment and ingestion goes on with ingestion, and measures nothing again."""
    file = write(budget={"experiments": 2})
    one = Campaign.open(file)
    one.ask()
    one.review_pending()
    reported = one.experiment()
    assert one.measurements().empty
    assert run(str(file)).n_measurements == 2
    trials = one.store.trials(one.name)
    assert trials["trial_id"].tolist() == [trial.trial_id for trial in reported]
    assert set(trials["status"]) == {"COMPLETED"}


def test_a_second_run_is_refused(write):
    """While another process runs the campaign, `discovery run` says so in one sentence and ends with code 1."""
    file = write()
    one = Campaign.open(file)
    with one.store.lease(lease_name(one.name), owner="elsewhere:1"):
        done = subprocess.run(
            [sys.executable, "-m", "discovery.cli.main", "run", str(file)], capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "elsewhere:1" in done.stderr and done.stderr.count("\n") == 1
    assert not Path(file.parent / ".prefect").exists()


def _shown(url: str) -> tuple[set[str], set[str]]:
    """Return the names of all flow runs and the keys of all artifacts that the server has."""
    import httpx

    runs = httpx.post(f"{url}/flow_runs/filter", json={"limit": 200}).json()
    artifacts = httpx.post(f"{url}/artifacts/filter", json={"limit": 200}).json()
    return {run["name"] for run in runs}, {artifact["key"] for artifact in artifacts}
