"""Promises of `discovery.experiments.command`: a program per trial, once, and whatever it does is told in words."""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments import AdapterResult, Pending, TemporaryExperimentError, TrialContext, carry_out, supervisor
from discovery.experiments.command import CommandAdapter
from discovery.space import SearchSpace
from discovery.store import Store, TrialRow

FIRST, SECOND, THIRD = "lab-c001-00", "lab-c001-01", "lab-c001-02"
GOOD = """echo run >> runs.txt; echo '{"outcomes": {"yield": 5}, "extra": {"flow": 2}}' > "$2" """
Program = Callable[[str], list[str]]
MakeAdapter = Callable[..., CommandAdapter]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Return a function that writes a shell script beside the campaign file and returns its command."""

    def write(text: str) -> list[str]:
        path = tmp_path / "measure.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return ["./measure.sh"]

    return write


@pytest.fixture
def make_adapter(make_spec: Callable[..., CampaignSpec]) -> MakeAdapter:
    """Return a function that makes the adapter of a command."""

    def make(command: list[str], **options: object) -> CommandAdapter:
        spec = make_spec(experiment={"type": "command", "command": command, **options})
        return CommandAdapter.from_spec(spec, SearchSpace.from_spec(spec))

    return make


@pytest.fixture
def call(make_adapter: MakeAdapter, store: Store) -> Callable[..., list[TrialRow]]:
    """Return a function that carries proposals out with a command, as a new process would."""

    def carry(command: list[str], *proposals: str, **options: object) -> list[TrialRow]:
        adapter = make_adapter(command, **options)
        return carry_out(store, proposals or (FIRST,), adapter, adapter.spec)

    return carry


Call = Callable[..., list[TrialRow]]


@pytest.fixture
def talk(make_adapter: MakeAdapter, tmp_path: Path) -> Callable[..., AdapterResult]:
    """Return a function that carries one trial out without a store."""

    def carry(command: list[str], **options: object) -> AdapterResult:
        adapter = make_adapter(command, **options)
        context = TrialContext("t1", "p1", "key", "k1", folder=tmp_path / "trials" / "k1")
        for _ in range(500):
            answer = adapter.run({"ligand": "A", "temperature": 90.0}, context)
            if isinstance(answer, AdapterResult):
                return answer
            time.sleep(0.02)
        raise AssertionError("The program never ended.")

    return carry


Talk = Callable[..., AdapterResult]


def test_a_program_gets_a_file_and_writes_one(program: Program, call: Call, tmp_path: Path) -> None:
    """It is called in the campaign's folder with two files at the end, once, and all of it is kept."""
    [trial] = call(program(f"pwd > where.txt; {GOOD}"))
    assert (trial.outcomes, trial.extra) == ({"yield": 5.0}, {"flow": 2})
    assert Path((tmp_path / "where.txt").read_text().strip()).samefile(tmp_path)
    folder = tmp_path / "trials" / trial.idempotency_key
    assert json.loads((folder / "input.json").read_text()) == {
        "trial_id": f"{FIRST}-t1",
        "proposal_id": FIRST,
        "idempotency_key": trial.idempotency_key,
        "campaign": "lab",
        "configuration": {"ligand": "A", "temperature": 90.0},
        "outcomes": ["yield"],
    }
    assert call(program(GOOD)) == []
    assert (tmp_path / "runs.txt").read_text() == "run\n"


def test_no_shell_reads_the_command(talk: Talk, tmp_path: Path) -> None:
    """Words go to the program as they stand; placeholders are filled in wherever they stand in a word."""
    script = "import sys; open(sys.argv[2][4:], 'w').write('{\"outcomes\": {\"yield\": %d}}' % len(sys.argv[1]))"
    injected = "; touch hacked; $(touch hacked) `touch hacked` *"
    result = talk(["python3", "-c", script, injected, "out={output}", "{input}"])
    assert result.outcomes == {"yield": float(len(injected))}
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo first >&2; echo 'No such ligand.' >&2; exit 3", "must end with code 0; got 3. It said: No such ligand."),
        ("exit 0", "must write its result to {output}; it wrote none."),
        ("echo '{\"outcomes\"' > $2", "must write a JSON object with outcomes"),
        ("printf '\\377' > $2", "must write a JSON object with outcomes"),
        ("echo '[1]' > $2", "got: the whole"),
        ("echo '{}' > $2", "must report the outcome yield as a number"),
        ('echo \'{"outcomes": {"yield": "5"}}\' > $2', "must report the outcome yield as a number"),
        ('echo \'{"status": "running"}\' > $2', "must report completed or failed; got running"),
        ('echo \'{"status": "failed", "error": "The vial broke."}\' > $2', "failed: The vial broke."),
        ("kill -SEGV $$", "got -11"),
    ],
)
def test_what_goes_wrong_for_good_is_said(program: Program, talk: Talk, text: str, words: str) -> None:
    """Codes, complaints, results that are missing or malformed: an error that no retry mends, with what was said."""
    with pytest.raises(ExperimentError) as caught:
        talk(program(text))
    assert words in str(caught.value) and not isinstance(caught.value, TemporaryExperimentError)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 'The robot is busy.' >&2; exit 75", "asks to be called again (code 75). It said: The robot is busy."),
        ('echo \'{"status": "failed", "retryable": true}\' > $2', "no reason was given"),
        ("kill -KILL $$", "was ended by SIGKILL"),
    ],
)
def test_what_may_pass_is_said_to_be_so(program: Program, talk: Talk, text: str, words: str) -> None:
    """A program may ask to be called again, and one that was killed from outside is."""
    with pytest.raises(TemporaryExperimentError) as caught:
        talk(program(text))
    assert words in str(caught.value)


def test_a_result_that_is_no_number_ends_the_trial_and_75_starts_another(program: Program, call: Call) -> None:
    """NaN gives the proposal up; code 75 is followed by a trial with a key and a folder of its own."""
    assert "finite" in call(program('echo \'{"outcomes": {"yield": NaN}}\' > "$2"'), SECOND)[0].error
    [first] = call(program("exit 75"))
    [second] = call(program(GOOD))
    assert (first.status, second.attempt, second.outcomes) == ("FAILED", 2, {"yield": 5.0})


def test_time_is_up_for_everything_that_a_program_started(
    program: Program, talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `timeout` the program and its children are ended, those that do not listen too."""
    text = "trap '' TERM; (trap '' TERM; sleep 60 & echo $! > child.txt; wait) & sleep 60"
    source = Path(supervisor.__file__).read_text()
    hasty = tmp_path / "hasty.py"
    hasty.write_text(source.replace("GRACE_S = 5.0", "GRACE_S = 0.1"))
    monkeypatch.setattr(supervisor, "__file__", str(hasty))
    with pytest.raises(ExperimentError, match=r"must end within 0\.5s \(experiment\.timeout\)"):
        talk(program(text), timeout="0.5s")
    assert is_gone(int((tmp_path / "child.txt").read_text()))


def is_gone(pid: int) -> bool:
    """Wait a while for a process to end."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("parallel", [1, 2])
def test_as_many_run_at_once_as_may(program: Program, call: Call, tmp_path: Path, parallel: int) -> None:
    """`parallel` bounds the programs that run together, and is reached."""
    text = f"echo + >> log.txt; sleep 0.5; {GOOD}; echo - >> log.txt"
    ended = call(program(text), FIRST, SECOND, THIRD, parallel=parallel)
    assert len(ended) == 3
    running = most = 0
    for line in (tmp_path / "log.txt").read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most == parallel


def test_programs_go_on_without_whoever_called_them(program: Program, make_adapter: MakeAdapter, store: Store) -> None:
    """An adapter that is made anew finds the program of its trial running, then its result, and starts no other."""
    command = program(f"sleep 0.4; {GOOD}")
    context = TrialContext("t1", "p1", "key", "k1", folder=store.path.parent / "trials" / "k1")
    answers = []
    for _ in range(100):
        answers.append(make_adapter(command).run({"temperature": 1.0}, context))
        if isinstance(answers[-1], AdapterResult):
            break
        time.sleep(0.05)
    assert answers[0] == Pending(detail="The program was started.")
    assert answers[1] == Pending(detail="The program of trial t1 is running.")
    assert answers[-1].outcomes == {"yield": 5.0}
    assert (store.path.parent / "runs.txt").read_text() == "run\n"


def test_a_result_that_is_there_after_a_crash_is_used(program: Program, talk: Talk, tmp_path: Path) -> None:
    """Where supervisor and program were killed after the result was whole, it counts; half a result does not."""
    folder = tmp_path / "trials" / "k1"
    folder.mkdir(parents=True)
    (folder / "started.json").write_text("{}")
    (folder / "output.json").write_text('{"outcomes": {"yie')
    with pytest.raises(TemporaryExperimentError, match="killed before its result was whole"):
        talk(program(GOOD))
    (folder / "output.json").write_text('{"outcomes": {"yield": 8}}')
    assert talk(program(GOOD)).outcomes == {"yield": 8.0}
    assert not (tmp_path / "runs.txt").exists()


def test_a_killed_supervisor_leaves_its_program_in_peace(
    program: Program, make_adapter: MakeAdapter, store: Store
) -> None:
    """While the program lives no second one is started; its result counts though nobody saw how it ended."""
    adapter = make_adapter(program(f"sleep 0.6; {GOOD}"))
    context = TrialContext("t1", "p1", "key", "k1", folder=store.path.parent / "trials" / "k1")
    assert isinstance(adapter.run({}, context), Pending)
    started = context.folder / "started.json"
    while not started.exists():
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(json.loads(started.read_text())["supervisor"], 9)
    time.sleep(0.1)
    assert adapter.run({}, context) == Pending(detail="The program of trial t1 is running.")
    while isinstance(answer := adapter.run({}, context), Pending):
        time.sleep(0.05)
    assert answer.outcomes == {"yield": 5.0}
    assert not (context.folder / "ended.json").exists()


def test_a_program_that_is_not_there_gives_nothing_up(
    call: Call, store: Store, program: Program, tmp_path: Path
) -> None:
    """The run stops with the name and where it was looked for; when the program is there the trial goes on."""
    with pytest.raises(ConfigurationError, match="got 'no-such-program', looked for on the PATH"):
        call(["no-such-program"])
    with pytest.raises(ConfigurationError, match=r"got './measure.sh', looked for in "):
        call(["./measure.sh"])
    command = program(GOOD)
    (tmp_path / "measure.sh").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(ConfigurationError, match="must be a program that can be run; got Exec format error"):
        call(command)
    assert store.trials("lab")["status"].tolist() == ["RUNNING"]
    assert call(program(GOOD))[0].attempt == 1


def test_validation_says_what_is_missing(make_adapter: MakeAdapter) -> None:
    """A file may be checked where the program is not; that is a warning. One placeholder alone is refused."""
    assert "must begin with a program" in make_adapter(["no-such-program"]).warnings()[0]
    assert make_adapter(["python3", "x.py"]).warnings() == []
    with pytest.raises(ConfigurationError, match=r"both \{input\} and \{output\}, or neither"):
        make_adapter(["python3", "x.py", "--in={input}"])


def test_a_supervisor_that_never_begins_is_not_called_for_ever(
    make_adapter: MakeAdapter, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be started, as without memory, the trial fails after some tries instead of trying on."""
    (tmp_path / "dies.py").write_text("")
    monkeypatch.setattr(supervisor, "__file__", str(tmp_path / "dies.py"))
    adapter, context = make_adapter(program(GOOD)), TrialContext("t1", "p1", "key", "k1", folder=tmp_path / "trials")
    assert [type(adapter.run({}, context)) for _ in range(3)] == [Pending] * 3
    with pytest.raises(TemporaryExperimentError, match="could not be started"):
        adapter.run({}, context)
