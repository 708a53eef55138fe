"""Steps are one call into the session each; their logic is tested without Prefect's engine."""

from __future__ import annotations

import pytest

from discovery.errors import InputError, StoreLockedError
from flows import steps


def test_one_campaign_is_opened_once_and_anew_when_its_file_changes(write, monkeypatch, tmp_path):
    """Steps share one opened campaign; a changed file or another store is opened anew."""
    file = write()
    first = steps.opened(str(file))
    assert steps.opened(str(file)) is first
    write(budget={"experiments": 7})
    assert steps.opened(str(file)).spec.budget.experiments == 7
    monkeypatch.setenv("DISCOVERY_STORE", str(tmp_path / "other.duckdb"))
    assert steps.opened(str(file)).store.path.name == "other.duckdb"


def test_a_cycle_by_its_steps(write):
    """Adapt, ask, review, experiment, ingest and summarize: each leaves in the store what the next one needs."""
    file = str(write())
    assert sum(steps.adapt_step.fn(file, "auto").weights.values()) == pytest.approx(1)
    proposals = steps.ask_step.fn(file, "auto")
    assert len(steps.review_step.fn(file, "auto", False).approved) == len(proposals) == 2
    assert [trial.error for trial in steps.experiment_step.fn(file, "auto")] == ["", ""]
    assert steps.experiment_step.fn(file, "auto") == []
    assert steps.ingest_step.fn(file, "auto").n_added == 2
    assert steps.ingest_step.fn(file, "auto").n_added == 0
    summary = steps.summarize_step.fn(file, "auto", 1)
    assert (summary.n_measurements, summary.n_budget, summary.unit) == (2, 6, "%")
    assert summary.best == max(summary.outcomes) and len(summary.outcomes) == 2
    assert sum(summary.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize(("error", "wanted"), [(StoreLockedError("held"), True), (InputError("wrong"), False)])
def test_only_a_locked_store_is_tried_again(error, wanted):
    """A step is repeated where another process held the store, and for no other reason."""
    from prefect.states import exception_to_failed_state

    state = _run(exception_to_failed_state(error))
    assert steps.is_locked(None, None, state) is wanted


def _run(coroutine):
    import asyncio

    return asyncio.run(coroutine)


def test_the_verdict_on_a_refinement_names_the_outcome_where_there_are_several():
    """What the gate decided is one sentence, about one outcome where several were refined."""
    from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
    from discovery.meta.refine import RefineResult
    from flows.refine import verdict_sentence

    checkpoint = Checkpoint(CheckpointMeta("meta_gp", "history", "space", 0, ()), {})
    result = RefineResult(checkpoint, 2.0, 2.005, is_promoted=True)
    said = f"{checkpoint.checkpoint_id} was promoted as equally good: held-out loss 2.005 after, 2.000 before."
    assert verdict_sentence(result) == f"The refined history checkpoint {said}"
    assert verdict_sentence(result, " of waste") == f"The refined history checkpoint of waste {said}"
