"""Promises of `discovery.experiments.trials`: handed over first, asked after then, and written down at every step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, ExperimentError, LeaseError, StatusError
from discovery.experiments import AdapterResult, Order, Pending, TemporaryExperimentError, TrialContext, carry_out
from discovery.experiments import trials as module
from discovery.experiments.trials import MAX_ATTEMPTS
from discovery.store import Store

Answer = dict[str, float] | Pending | Exception
FIRST, SECOND = "lab-c001-00", "lab-c001-01"


@dataclass
class Bench:
    """A laboratory that does what a test wants: its answers in turn, the last one for ever; remembers who asked."""

    answers: list[Answer]
    wait_s: float = 0.0
    poll_s: float = 0.01
    asked: list[TrialContext] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)

    @classmethod
    def from_spec(cls, spec: object, space: object) -> "Bench":
        return cls([{}])

    def hand_over(self, orders: Sequence[Order]) -> None:
        self.batches.append([order.context.proposal_id for order in orders])

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult | Pending:
        self.asked.append(context)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Pending) else AdapterResult(answer, {"operator": "bench"})


@pytest.fixture
def spec(make_spec: Callable[..., CampaignSpec]) -> CampaignSpec:
    """The campaign."""
    return make_spec()


def run(store: Store, spec: CampaignSpec, *answers: Answer, proposals: Sequence[str] = (FIRST,), **options: float):
    """Carry proposals out on a bench with these answers; return the trials that ended, and the bench."""
    bench = Bench(list(answers), **options)
    return carry_out(store, proposals, bench, spec), bench


def test_a_trial_is_reported_and_never_run_again(store: Store, spec: CampaignSpec) -> None:
    """The report is on the trial before anything is ingested; a second call asks nobody."""
    [trial], bench = run(store, spec, {"yield": 42.0})
    assert (trial.status, trial.outcomes, trial.extra) == ("RUNNING", {"yield": 42.0}, {"operator": "bench"})
    assert carry_out(store, [FIRST], bench, spec) == []
    assert [(c.trial_id, c.key) for c in bench.asked] == [(f"{FIRST}-t1", 'ligand="A"; temperature=90')]
    assert bench.asked[0].idempotency_key == trial.idempotency_key
    assert bench.batches == [[FIRST]]


@pytest.mark.parametrize("error", [TemporaryExperimentError("The robot is busy."), ConnectionError("no network")])
def test_a_passing_fault_is_tried_again_as_a_new_trial(store: Store, spec: CampaignSpec, error: Exception) -> None:
    """Each retry is a trial of its own; the last one that is allowed gives the proposal up."""
    trials = [run(store, spec, error)[0][0] for _ in range(MAX_ATTEMPTS)]
    assert [trial.attempt for trial in trials] == [1, 2, 3]
    assert [trial.status for trial in trials] == ["FAILED", "FAILED", "ABANDONED"]
    assert len({trial.idempotency_key for trial in trials}) == 3
    assert str(error) in trials[0].error
    with pytest.raises(StatusError, match="must not be carried out again"):
        run(store, spec, {"yield": 1.0})


def test_a_retry_may_succeed(store: Store, spec: CampaignSpec) -> None:
    """After a passing fault the next trial reports as if nothing had been."""
    run(store, spec, TemporaryExperimentError("busy"))
    assert run(store, spec, {"yield": 7.0})[0][0].outcomes == {"yield": 7.0}


@pytest.mark.parametrize(
    "answer", [ExperimentError("No such substance."), {}, {"yield": float("nan")}, {"purity": 1.0}]
)
def test_a_lasting_fault_gives_the_proposal_up(store: Store, spec: CampaignSpec, answer: Answer) -> None:
    """An error that no retry mends, and a report without the outcome, end the proposal; the others of it go on."""
    ended, _ = run(store, spec, answer, {"yield": 3.0}, proposals=(FIRST, SECOND))
    assert [trial.status for trial in ended] == ["ABANDONED", "RUNNING"]


@pytest.mark.parametrize("error", [ZeroDivisionError("bug"), ConfigurationError("The program is not there.")])
def test_a_fault_that_is_not_the_trials_reaches_the_caller(store: Store, spec: CampaignSpec, error: Exception) -> None:
    """A bug or a wrong setting gives nothing up: all trials stay open, and anyone may take them up at once."""
    with pytest.raises(type(error)):
        run(store, spec, error, proposals=(FIRST, SECOND))
    assert store.trials("lab")["status"].tolist() == ["RUNNING"] * 2
    ended = carry_out(store, [FIRST, SECOND], Bench([{"yield": 1.0}]), spec, "elsewhere:1")
    assert [trial.attempt for trial in ended] == [1, 1]


def test_all_are_handed_over_before_any_is_waited_for(store: Store, spec: CampaignSpec) -> None:
    """A slow first experiment does not keep the second one from being started."""
    waiting = Pending("x1"), Pending("x2")
    ended, bench = run(store, spec, *waiting, {"yield": 1.0}, proposals=(FIRST, SECOND), wait_s=5.0)
    assert [c.proposal_id for c in bench.asked] == [FIRST, SECOND, FIRST, SECOND]
    assert [c.external_id for c in bench.asked] == ["", "", "x1", "x2"]
    assert bench.batches == [[FIRST, SECOND]]
    assert [trial.outcomes for trial in ended] == [{"yield": 1.0}] * 2


def test_what_is_still_awaited_is_left_to_whoever_comes_next(store: Store, spec: CampaignSpec) -> None:
    """When patience is over the trial keeps running, free to take, with its name and what it waits for."""
    ended, bench = run(store, spec, Pending("x1", "queued"), wait_s=0.05)
    assert ended == [] and len(bench.asked) > 1
    row = store.trials("lab").iloc[0]
    assert (row["status"], row["external_id"], row["error"]) == ("RUNNING", "x1", "queued")
    other = Bench([{"yield": 5.0}])
    [trial] = carry_out(store, [FIRST], other, spec, "another-machine:1")
    assert (other.asked[0].external_id, trial.outcomes, trial.error) == ("x1", {"yield": 5.0}, "")
    assert other.asked[0].idempotency_key == bench.asked[0].idempotency_key


def test_nobody_else_asks_while_one_waits(store: Store, spec: CampaignSpec) -> None:
    """While one process waits for a result another one is told who does."""
    bench = Bench([Pending()], wait_s=5.0)

    def interfere(configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        with pytest.raises(LeaseError, match="held by"):
            carry_out(store, [SECOND, FIRST], Bench([{"yield": 1.0}]), spec, "another-machine:1")
        assert len(store.trials("lab")) == 1, "the other proposal must not have been started"
        return AdapterResult({"yield": 2.0})

    bench.run = interfere  # type: ignore[method-assign]
    assert carry_out(store, [FIRST], bench, spec)[0].outcomes == {"yield": 2.0}


def test_a_trial_that_is_waited_for_is_held_on(
    store: Store, spec: CampaignSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is renewed while one waits; where another has taken the trial over, waiting ends."""
    monkeypatch.setattr(module, "RENEW_EVERY_S", 0.0)
    answers = [Pending(), Pending(), {"yield": 1.0}]
    bench = Bench(answers, wait_s=5.0)
    take = bench.run

    def run_out(configuration: Mapping[str, object], context: TrialContext) -> AdapterResult | Pending:
        answer = take(configuration, context)
        owner = "me:1" if len(bench.asked) < 2 else "thief:1"
        with store.database.transaction() as connection:
            connection.execute(f"UPDATE trials SET lease_expires_at = now(), owner = '{owner}'")
        return answer

    bench.run = run_out  # type: ignore[method-assign]
    with pytest.raises(LeaseError, match="thief:1"):
        carry_out(store, [FIRST], bench, spec, "me:1")
    assert len(bench.asked) == 2


def test_a_laboratory_that_asks_for_peace_gets_it(store: Store, spec: CampaignSpec) -> None:
    """A pause that an answer asks for is kept, and one that is longer than the patience ends the waiting at once."""
    began = time.monotonic()
    _, bench = run(store, spec, Pending(pause_s=0.2), {"yield": 1.0}, wait_s=5.0)
    assert len(bench.asked) == 2 and 0.2 <= time.monotonic() - began < 2
    began = time.monotonic()
    _, bench = run(store, spec, Pending(pause_s=3600), proposals=(SECOND,), wait_s=5.0)
    assert len(bench.asked) == 1 and time.monotonic() - began < 2


def test_what_the_laboratory_calls_a_trial_survives_a_crash(store: Store, spec: CampaignSpec) -> None:
    """What an adapter remembers is stored before its next step, so that a crash right after it loses nothing."""
    bench = Bench([{}])

    def die(configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        context.remember("x17")
        raise KeyboardInterrupt

    bench.run = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        carry_out(store, [FIRST], bench, spec)
    [trial], again = run(store, spec, {"yield": 1.0})
    assert (again.asked[0].external_id, trial.external_id, trial.attempt) == ("x17", "x17", 1)


def test_another_store_has_other_keys(store: Store, spec: CampaignSpec, tmp_path: Path, draft: object) -> None:
    """A campaign that begins again in a new store is not taken for the old one by a laboratory that knows the keys."""
    _, bench = run(store, spec, {"yield": 1.0})
    anew = Store(tmp_path / "anew.duckdb")
    anew.register_campaign(spec)
    anew.add_proposals("lab", 1, [draft], "APPROVED")  # type: ignore[list-item]
    _, other = run(anew, spec, {"yield": 1.0})
    assert bench.asked[0].idempotency_key != other.asked[0].idempotency_key
    assert bench.asked[0].folder.parent == tmp_path / "trials"
