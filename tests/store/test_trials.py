"""Trials: carried out once, taken up after a restart, completed by ingestion."""

import pytest

from discovery.errors import InputError, LeaseError, StatusError
from discovery.store.leases import process_owner


@pytest.fixture
def proposal_id(store, draft):
    """An approved proposal."""
    return store.add_proposals("lab", 1, [draft(40.0)], status="APPROVED")[0]


def _result(check, **columns):
    return check({"temperature": [40.0], "ligand": ["A"], "yield": [44.0], **columns})


def test_a_restart_takes_up_the_running_trial(store, proposal_id):
    """The same trial with the same idempotency key comes back, with what it had reported."""
    first = store.start_trial(proposal_id, "table", "me")
    store.report_trial(first.trial_id, {"yield": 44.0}, {"well": "B7"})
    again = store.start_trial(proposal_id, "table", "me")
    assert (again.trial_id, again.idempotency_key) == (f"{proposal_id}-t1", first.idempotency_key)
    assert (again.status, again.outcomes, again.extra) == ("RUNNING", {"yield": 44.0}, {"well": "B7"})
    assert again.lease_expires_at >= first.lease_expires_at
    assert len(store.trials("lab")) == 1


def test_a_trial_of_another_live_owner_is_left_alone(store, proposal_id):
    """Two processes never run one experiment; when the lease has run out another may take it up."""
    store.start_trial(proposal_id, "table", "other-machine:1", lease_s=60)
    with pytest.raises(LeaseError, match="held by other-machine:1"):
        store.start_trial(proposal_id, "table", "me")
    with store.database.transaction() as connection:
        connection.execute("UPDATE trials SET lease_expires_at = now() - INTERVAL 1 SECOND")
    assert store.start_trial(proposal_id, "table", "me").owner == "me"


@pytest.mark.parametrize("decision", [None, "reject", "stale"])
def test_only_an_approved_proposal_is_carried_out(store, draft, decision):
    """Nothing runs that nobody has approved."""
    [proposal_id] = store.add_proposals("lab", 1, [draft()])
    if decision:
        store.decide(proposal_id, decision, "Ada", reason="no")
    with pytest.raises(StatusError, match="must be APPROVED"):
        store.start_trial(proposal_id, "table", "me")
    assert store.trials("lab").empty


def test_ingestion_completes_the_trial_and_lands_once(store, proposal_id, check):
    """A result that is ingested twice, as after a crash, is one measurement."""
    trial = store.start_trial(proposal_id, "table", "me")
    first = store.add_measurements("lab", _result(check, trial_id=[trial.trial_id]), "table")
    again = store.add_measurements("lab", _result(check, trial_id=[trial.trial_id], note=["again"]), "table")
    assert (first.n_added, first.n_unproposed, again.n_added, again.n_duplicates) == (1, 0, 0, 1)
    assert store.trial(trial.trial_id).status == "COMPLETED"
    measured = store.measurements("lab")
    assert measured[["proposal_id", "trial_id"]].values.tolist() == [[proposal_id, trial.trial_id]]
    with pytest.raises(StatusError, match="must not be carried out again"):
        store.start_trial(proposal_id, "table", "me")


def test_a_file_that_names_the_proposal_completes_its_trial(store, proposal_id, check):
    """People who fill in a table need not know trial ids."""
    trial = store.start_trial(proposal_id, "manual", "me")
    store.add_measurements("lab", _result(check, proposal_id=[proposal_id]))
    assert store.trial(trial.trial_id).status == "COMPLETED"
    assert store.trials("lab", ["RUNNING"]).empty
    assert store.trials("lab")["finished_at"].notna().all()


def test_a_failed_trial_may_be_tried_again_and_an_abandoned_one_not(store, proposal_id):
    """A retry is a new trial with a key of its own."""
    first = store.start_trial(proposal_id, "table", "me")
    assert store.fail_trial(first.trial_id, "pump stuck", retryable=True).status == "FAILED"
    second = store.start_trial(proposal_id, "table", "me")
    assert (second.trial_id, second.attempt) == (f"{proposal_id}-t2", 2)
    assert second.idempotency_key != first.idempotency_key
    assert store.fail_trial(second.trial_id, "explodes", retryable=False).status == "ABANDONED"
    with pytest.raises(StatusError):
        store.start_trial(proposal_id, "table", "me")
    assert store.trials("lab")["error"].tolist() == ["pump stuck", "explodes"]


def test_an_ended_trial_neither_fails_nor_reports(store, proposal_id, check):
    """Illegal moves are refused inside the transaction and change nothing."""
    trial = store.start_trial(proposal_id, "table", "me")
    store.add_measurements("lab", _result(check, trial_id=[trial.trial_id]))
    before = store.trial(trial.trial_id)
    with pytest.raises(StatusError):
        store.fail_trial(trial.trial_id, "late", retryable=True)
    with pytest.raises(StatusError):
        store.report_trial(trial.trial_id, {"yield": 45.0})
    assert store.trial(trial.trial_id) == before


def test_a_late_result_is_kept_and_linked(store, draft, check):
    """A result for a rejected, failed or unknown experiment is still a measurement."""
    approved, rejected = store.add_proposals("lab", 1, [draft(40.0), draft(50.0)])
    store.decide(approved, "approve", "Ada")
    store.decide(rejected, "reject", "Ada", reason="no")
    trial = store.start_trial(approved, "manual", "me")
    store.fail_trial(trial.trial_id, "lost", retryable=True)
    report = store.add_measurements(
        "lab",
        check(
            {
                "temperature": [40.0, 50.0, 60.0],
                "ligand": ["A", "A", "A"],
                "yield": [1.0, 2.0, 3.0],
                "proposal_id": [approved, rejected, "nobody"],
                "trial_id": [trial.trial_id, None, None],
            }
        ),
    )
    assert (report.n_added, report.n_unproposed) == (3, 2)
    assert store.measurements("lab")["proposal_id"].tolist() == [approved, rejected, "nobody"]
    assert store.trial(trial.trial_id).status == "FAILED"


@pytest.mark.parametrize("outcomes", [{}, {"yield": float("nan")}, {"yield": float("inf")}])
def test_a_report_holds_finite_numbers(store, proposal_id, outcomes):
    """A diverged simulator has failed; it has not measured NaN."""
    trial = store.start_trial(proposal_id, "simulator", "me")
    with pytest.raises(InputError, match="must be finite numbers"):
        store.report_trial(trial.trial_id, outcomes)
    assert store.trial(trial.trial_id).outcomes is None


def test_a_report_stands(store, proposal_id):
    """The same report again is harmless, another one is refused."""
    trial = store.start_trial(proposal_id, "table", process_owner())
    assert store.report_trial(trial.trial_id, {"yield": 44.0}) == store.report_trial(trial.trial_id, {"yield": 44})
    with pytest.raises(StatusError, match="report once"):
        store.report_trial(trial.trial_id, {"yield": 45.0})


def test_what_does_not_exist_is_named(store):
    """A typing error is reported as such."""
    with pytest.raises(InputError, match="got 'x-t1'"):
        store.fail_trial("x-t1", "", retryable=True)
    with pytest.raises(InputError, match="got 'x'"):
        store.start_trial("x", "table", "me")
