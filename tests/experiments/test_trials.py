from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from discovery.belief.records import HypothesisPrediction
from discovery.campaign import CampaignSpec
from discovery.cycle import ProposalDraft
from discovery.errors import ExperimentError, StatusError
from discovery.experiments import AdapterResult, TemporaryExperimentError, TrialContext, carry_out
from discovery.experiments.trials import MAX_ATTEMPTS
from discovery.store import Store


@dataclass
class Bench:
    """A laboratory that does what a test wants: returns outcomes or raises, and remembers what it was asked."""

    answer: dict[str, float] | Exception
    asked: list[TrialContext] = field(default_factory=list)

    @classmethod
    def from_spec(cls, spec: object, space: object) -> "Bench":
        return cls({})

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        self.asked.append(context)
        if isinstance(self.answer, Exception):
            raise self.answer
        return AdapterResult(self.answer, {"operator": "bench"})


@pytest.fixture
def spec(make_spec: Callable[..., CampaignSpec]) -> CampaignSpec:
    """The campaign."""
    return make_spec()


@pytest.fixture
def store(spec: CampaignSpec, tmp_path: Path) -> Store:
    """A store with one approved proposal, lab-c001-00."""
    store = Store(tmp_path / "lab.duckdb")
    store.register_campaign(spec)
    said = HypothesisPrediction("no_transfer", 1.0, (0.0,), (50.0,), (10.0,), "c", 0)
    draft = ProposalDraft(
        configuration={"ligand": "A", "temperature": 90.0},
        key='ligand="A"; temperature=90',
        X=(1.0, 0.0, 0.875),
        row=3,
        predictions=(said,),
        mean=50.0,
        sd=10.0,
        acqf_name="log_ei",
        acqf_value=0.0,
        argued_by="no_transfer",
        argument={"no_transfer": 1.0},
        is_exploring=False,
        n_measurements=0,
        seed=1,
    )
    store.add_proposals("lab", 1, [draft], "APPROVED")
    return store


def test_a_trial_is_reported_and_never_run_again(store: Store, spec: CampaignSpec) -> None:
    """The report is on the trial before anything is ingested; a second call asks nobody."""
    bench = Bench({"yield": 42.0})
    trial = carry_out(store, "lab-c001-00", bench, spec)
    assert (trial.status, trial.outcomes, trial.extra) == ("RUNNING", {"yield": 42.0}, {"operator": "bench"})
    assert carry_out(store, "lab-c001-00", bench, spec) is None
    assert [(c.trial_id, c.key) for c in bench.asked] == [("lab-c001-00-t1", 'ligand="A"; temperature=90')]
    assert bench.asked[0].idempotency_key == trial.idempotency_key


@pytest.mark.parametrize("error", [TemporaryExperimentError("The robot is busy."), ConnectionError("no network")])
def test_a_passing_fault_is_tried_again_as_a_new_trial(store: Store, spec: CampaignSpec, error: Exception) -> None:
    """Each retry is a trial of its own; the last one that is allowed gives the proposal up."""
    trials = [carry_out(store, "lab-c001-00", Bench(error), spec) for _ in range(MAX_ATTEMPTS)]
    assert [trial.attempt for trial in trials] == [1, 2, 3]
    assert [trial.status for trial in trials] == ["FAILED", "FAILED", "ABANDONED"]
    assert str(error) in trials[0].error
    with pytest.raises(StatusError, match="must not be carried out again"):
        carry_out(store, "lab-c001-00", Bench({"yield": 1.0}), spec)


def test_a_retry_may_succeed(store: Store, spec: CampaignSpec) -> None:
    """After a passing fault the next trial reports as if nothing had been."""
    carry_out(store, "lab-c001-00", Bench(TemporaryExperimentError("busy")), spec)
    assert carry_out(store, "lab-c001-00", Bench({"yield": 7.0}), spec).outcomes == {"yield": 7.0}


@pytest.mark.parametrize(
    "answer", [ExperimentError("No such substance."), {}, {"yield": float("nan")}, {"purity": 1.0}]
)
def test_a_lasting_fault_gives_the_proposal_up(
    store: Store, spec: CampaignSpec, answer: dict[str, float] | Exception
) -> None:
    """An error that no retry mends, and a report without the outcome, end the proposal."""
    assert carry_out(store, "lab-c001-00", Bench(answer), spec).status == "ABANDONED"


def test_a_bug_in_an_adapter_is_not_hidden(store: Store, spec: CampaignSpec) -> None:
    """An error of another kind reaches the caller; the trial stays open and can be taken up."""
    with pytest.raises(ZeroDivisionError):
        carry_out(store, "lab-c001-00", Bench(ZeroDivisionError()), spec)
    assert store.trials("lab")["status"].tolist() == ["RUNNING"]
