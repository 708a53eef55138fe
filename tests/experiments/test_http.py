"""Promises of `discovery.experiments.http`: every experiment is made once, whatever kind of day the laboratory has."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments import AdapterResult, TemporaryExperimentError, TrialContext, adapter_for, carry_out
from discovery.experiments.connection import retry_after_s
from discovery.experiments.http import HttpAdapter
from discovery.session.proposals import ProposalBook
from discovery.space import SearchSpace
from discovery.store import Store, TrialRow
from tests.experiments.fake_lab import DROP, FakeLab, Said

FIRST, SECOND = "lab-c001-00", "lab-c001-01"  # at 90 and at 30 degrees
Call = Callable[..., list[TrialRow]]
Talk = Callable[[], AdapterResult]


@pytest.fixture
def lab() -> Iterator[FakeLab]:
    """A laboratory that is there."""
    with FakeLab().opened() as lab:
        yield lab


@pytest.fixture
def call(lab: FakeLab, store: Store, make_spec: Callable[..., CampaignSpec]) -> Call:
    """Return a function that carries proposals out in the laboratory, as a new process would."""

    def carry(*proposals: str, **changes: object) -> list[TrialRow]:
        said = {"type": "http", "url": lab.url, "poll": "0.02s", "wait": "5s", **changes}
        spec = make_spec(experiment={name: value for name, value in said.items() if value is not None})
        adapter = adapter_for(spec, SearchSpace.from_spec(spec))
        return carry_out(store, proposals or (FIRST,), adapter, spec)

    return carry


@pytest.fixture
def talk(lab: FakeLab, make_spec: Callable[..., CampaignSpec]) -> Talk:
    """Return a function that carries one trial out without a store, for as long as it takes."""
    spec = make_spec(experiment={"type": "http", "url": lab.url, "poll": "0.02s"})
    adapter = HttpAdapter.from_spec(spec, SearchSpace.from_spec(spec))

    def carry() -> AdapterResult:
        remembered, name = [], ""
        for _ in range(50):
            context = TrialContext("t1", "p1", "key", "k1", name, remembered.append)
            answer = adapter.run({"ligand": "A", "temperature": 90.0}, context)
            if isinstance(answer, AdapterResult):
                return answer
            name = answer.external_id or name
            assert name in ("", *remembered), "what the laboratory calls it must be stored before anything is said"
            time.sleep(answer.pause_s)
        raise AssertionError("The laboratory never answered.")

    return carry


def test_experiments_are_submitted_together_and_asked_after(lab: FakeLab, call: Call, store: Store) -> None:
    """All orders are out before the first question; each says all there is to know, and results are kept."""
    ended = call(FIRST, SECOND)
    assert [trial.outcomes for trial in ended] == [{"yield": 45.0}, {"yield": 15.0}]
    assert [method for method, *_ in lab.seen][:2] == ["POST", "POST"]
    order = lab.made[0]
    assert {**order, "idempotency_key": ""} == {
        "trial_id": f"{FIRST}-t1",
        "proposal_id": FIRST,
        "idempotency_key": "",
        "campaign": "lab",
        "configuration": {"ligand": "A", "temperature": 90.0},
        "outcomes": ["yield"],
    }
    assert lab.keys[0] == order["idempotency_key"] == ended[0].idempotency_key
    assert store.trial(f"{FIRST}-t1").external_id == "x/1-1"


@pytest.mark.parametrize(
    "bad",
    [
        Said(500, {"error": "oops"}),
        Said(503, "<html>", {"Retry-After": "0"}),
        Said(429, {}, {"Retry-After": "soon"}),
        Said(DROP),
        Said(200, "<html>Log in</html>"),
        Said(502, "<html>", is_after=True),
        Said(DROP, is_after=True),
    ],
    ids=lambda said: f"{said.status}{'-after' if said.is_after else ''}",
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_passes_is_waited_out(lab: FakeLab, talk: Talk, bad: Said, method: str) -> None:
    """A broken connection or a busy server costs time; the order goes out again under its key, and is made once."""
    (lab.posts if method == "POST" else lab.gets)[:] = [bad, bad]
    assert talk().outcomes == {"yield": 45.0}
    assert len(lab.made) == 1
    assert lab.keys == ["k1"] * (3 if method == "POST" else 1)


def test_a_laboratory_that_dies_and_comes_back_loses_nothing(call: Call, store: Store) -> None:
    """While it is away its trials wait and say what for; when it has forgotten their names, they go out again."""
    lab = FakeLab(n_polls=2)
    with lab.opened():
        assert call(FIRST, url=lab.url, wait="0.01s") == []
    assert call(FIRST, SECOND, url=lab.url, wait="0.1s") == []
    trials = store.trials("lab")
    assert trials["status"].tolist() == ["RUNNING"] * 2
    assert trials["error"].str.contains("cannot be reached").all()
    lab.forget()
    with lab.opened():
        ended = call(FIRST, SECOND, url=lab.url)
    assert [trial.outcomes["yield"] for trial in ended] == [45.0, 15.0]
    assert len(lab.made) == 2 and lab.keys == [ended[0].idempotency_key] * 2 + [ended[1].idempotency_key]


def test_one_broken_connection_speaks_for_all(lab: FakeLab, call: Call) -> None:
    """Where nobody is there, the other trials of a batch do not knock one by one."""
    lab.posts[:] = [Said(DROP)] * 2
    assert call(FIRST, SECOND, wait="0.01s", poll="1s") == []
    assert len(lab.seen) == 1


def test_one_trial_that_breaks_the_server_does_not_hold_up_the_others(lab: FakeLab, call: Call) -> None:
    """A server error over one order is that order's alone."""
    lab.posts[:] = [Said(500)]
    assert [trial.proposal_id for trial in call(FIRST, SECOND)] == [SECOND, FIRST]


def test_a_laboratory_that_never_knows_what_it_took_is_not_flooded(lab: FakeLab, call: Call, store: Store) -> None:
    """An address that answers unknown for ever ends the run with a sentence; the trial stays open."""
    lab.gets[:] = [Said(404)] * 20
    with pytest.raises(ConfigurationError, match="again and again"):
        call()
    assert len(lab.keys) == 4 and len(lab.made) == 1
    assert store.trials("lab")["status"].tolist() == ["RUNNING"]


def test_a_late_answer_is_fetched_by_the_next_call(lab: FakeLab, call: Call, store: Store) -> None:
    """What takes longer than `wait` is left running and counted, and another process fetches it."""
    lab.n_polls = 2
    assert call(wait="0.01s", poll="1s") == []
    assert ProposalBook.read(store, "lab").n_running == 1
    assert store.trials("lab")["error"].tolist() == ["The laboratory has it: queued."]
    lab.n_polls = 0
    assert call(wait="0.01s", poll="1s")[0].outcomes == {"yield": 45.0}
    assert ProposalBook.read(store, "lab").n_running == 0


def test_what_was_answered_once_is_not_asked_again(lab: FakeLab, call: Call, store: Store) -> None:
    """A laboratory that answers twice, with another number, has answered with the first."""
    lab.gets[:] = [Said(200, {"outcomes": {"yield": value}}) for value in (1.0, 2.0)]
    assert call()[0].outcomes == {"yield": 1.0}
    assert call() == [] and len(lab.gets) == 1
    assert store.trial(f"{FIRST}-t1").outcomes == {"yield": 1.0}


def test_a_laboratory_may_answer_at_once_and_know_keys_itself(lab: FakeLab, call: Call) -> None:
    """A result may come with the order; where the key is known, 409 with the id is as good as 202."""
    lab.posts[:] = [Said(200, {"status": "completed", "outcomes": {"yield": 3}}), Said(409, {"id": 7})]
    lab.gets[:] = [Said(200, {"outcomes": {"yield": 4, "purity": 99}, "extra": {"robot": "R2"}})]
    first, second = call(FIRST, SECOND)
    assert (first.outcomes, second.outcomes) == ({"yield": 3.0}, {"yield": 4.0})
    assert second.extra == {"purity": 99, "robot": "R2"} and second.external_id == "7"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(422, {"error": "No such ligand."}), "No such ligand"),
        (Said(400, "<html>"), "refused the experiment .400."),
        (Said(409, {}), "409"),
        (Said(200, {"status": "failed", "error": "The vial broke."}), "The vial broke"),
        (Said(200, {"outcomes": {"yield": "n/a"}}), "must report the outcome yield as a number"),
        (Said(200, {"outcomes": {"purity": 1}}), "must report the outcome yield"),
    ],
)
def test_what_cannot_succeed_says_so_in_the_laboratorys_words(lab: FakeLab, talk: Talk, said: Said, words: str) -> None:
    """A refusal, a failure or a result that is none is an error that no retry mends."""
    lab.posts[:] = [said]
    with pytest.raises(ExperimentError, match=words) as caught:
        talk()
    assert not isinstance(caught.value, TemporaryExperimentError)


def test_a_refusal_ends_its_trial_only(lab: FakeLab, call: Call) -> None:
    """The proposal that the laboratory refuses is given up; the others of the batch go on."""
    lab.posts[:] = [Said(422, {"error": "No such ligand."})]
    assert [trial.status for trial in call(FIRST, SECOND)] == ["ABANDONED", "RUNNING"]


@pytest.mark.parametrize("value", ["NaN", "1e999", "Infinity"])
def test_a_result_that_is_not_finite_is_none(lab: FakeLab, call: Call, value: str) -> None:
    """Numbers that JSON should not hold end the trial, with what was said."""
    lab.posts[:] = [Said(200, f'{{"outcomes": {{"yield": {value}}}}}')]
    [trial] = call()
    assert trial.status == "ABANDONED" and "must report a finite 'yield'" in trial.error


def test_a_failure_that_may_pass_is_a_new_experiment(lab: FakeLab, call: Call) -> None:
    """Where the laboratory says that it is worth another try, the next trial has a key of its own."""
    lab.gets[:] = [Said(200, {"status": "failed", "error": "power cut", "retryable": True})]
    assert call()[0].status == "FAILED"
    assert call()[0].outcomes == {"yield": 45.0}
    assert len(set(lab.keys)) == len(lab.made) == 2


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(403, {"error": "no"}), "wants a secret .403."),
        (Said(404, "<html>"), "experiment.url must be where experiments are submitted"),
        (Said(405), "answered 405"),
        (Said(301, {}, {"Location": "/experiments/"}), "answered 301"),
        (Said(304), "answered 304"),
        (Said(202, {"status": "queued"}), "must answer with the experiment's id"),
        (Said(200, {"status": "DONE"}), "must answer as docs/experiments.md says; got: status"),
        (Said(200, '["x"]'), "got: the whole"),
    ],
)
def test_what_is_wrong_with_the_laboratory_is_no_fault_of_the_trial(
    lab: FakeLab, talk: Talk, said: Said, words: str
) -> None:
    """A wrong address or secret, or a laboratory that answers otherwise than agreed, is an error of the set-up."""
    lab.posts[:] = [said]
    with pytest.raises(ConfigurationError, match=words):
        talk()


def test_what_is_wrong_with_the_laboratory_gives_nothing_up(lab: FakeLab, call: Call, store: Store) -> None:
    """It stops the run with all trials open; after mending they go on as they were."""
    lab.posts[:] = [Said(404)]
    with pytest.raises(ConfigurationError):
        call(FIRST, SECOND)
    assert store.trials("lab")["status"].tolist() == ["RUNNING"] * 2
    assert [trial.attempt for trial in call(FIRST, SECOND)] == [1, 1]


def test_an_experiment_that_takes_too_long_counts_as_failed(lab: FakeLab, call: Call) -> None:
    """After `timeout`, counted from the start of the trial, it is given up, with what to do when it comes after all."""
    lab.n_polls = 10_000
    [trial] = call(timeout="0.2s")
    assert trial.status == "ABANDONED"
    assert "within 0.2s (experiment.timeout); it is" in trial.error
    assert trial.error.endswith("A result that comes later can be ingested as a row that names its proposal_id.")


def test_questions_can_be_asked_for_less_often(lab: FakeLab, call: Call) -> None:
    """`Retry-After` is kept while an experiment runs, too."""
    lab.gets[:] = [Said(200, {"status": "running"}, {"Retry-After": "3600"})]
    assert call(wait="60s") == []
    assert [method for method, *_ in lab.seen] == ["POST", "GET"]


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    """Both forms that HTTP knows are read, and nonsense is none."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    texts = ["7", soon, "Mon, 01 Jan 2001 00:00:00 GMT", "soon", ""]
    found = [retry_after_s(httpx.Response(503, headers={"Retry-After": text})) for text in texts]
    assert found[0] == 7 and 90 < found[1] <= 100 and found[2:] == [0, 0, 0]


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:secret@lab.example/x",
        "https://lab.example/x?key=secret",
        "http://lab:99999/x",
        "http://lab:x/",
        "https://lab/#a",
    ],
)
def test_an_address_is_an_address(make_spec: Callable[..., CampaignSpec], url: str) -> None:
    """What might hold a secret is refused before anything is asked, and not repeated."""
    with pytest.raises(ConfigurationError, match=r"must be an? (plain )?address") as caught:
        HttpAdapter.from_spec(spec := make_spec(experiment={"type": "http", "url": url}), SearchSpace.from_spec(spec))
    assert "secret" not in str(caught.value).replace("A secret goes under", "")


def test_the_adapter_of_another_experiment_is_refused(make_spec: Callable[..., CampaignSpec]) -> None:
    """An http adapter is not made from a table."""
    spec = make_spec()
    with pytest.raises(ConfigurationError, match="must be http"):
        HttpAdapter.from_spec(spec, SearchSpace.from_spec(spec))
