"""The command adapter: a program is called for every trial, with a JSON file in and a JSON file out; no shell.

Each trial has a folder of its own, named by its idempotency key, and a supervisor (`discovery.experiments.supervisor`)
that outlives this process: a campaign that was killed finds its programs running or ended, and starts none again.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.campaign import CommandExperiment
from discovery.campaign.sections import duration_s
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments import supervisor
from discovery.experiments.adapter import AdapterResult, Pending, TemporaryExperimentError, TrialContext
from discovery.experiments.messages import order_message, read_report, result_of, shortened
from discovery.store.base import digest

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace

INPUT, OUTPUT = "input.json", "output.json"
PLACEHOLDERS = {"{input}": INPUT, "{output}": OUTPUT}
EX_TEMPFAIL = 75  # sysexits.h: try again later
FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM)
MAX_CALLS = 3  # supervisors that may vanish before they have begun
SLOTS = "slots"  # folder beside the trials' folders: locked files, one per program that may run at once


@dataclass(frozen=True)
class CommandAdapter:
    """Calls a program.

    Attributes:
        spec: The campaign.
        words: The program and its arguments, with placeholders.
        timeout: How long one trial may take, as the file says it; None for as long as it takes.
        parallel: How many may run at once.
        wait_s: How long one call waits: for as long as programs run.
        poll_s: Pause between two looks.
    """

    spec: CampaignSpec
    words: tuple[str, ...]
    timeout: str | None = None
    parallel: int = 1
    wait_s: float = math.inf
    poll_s: float = 0.1

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> CommandAdapter:
        """Take the command that a campaign file names.

        Raises:
            ConfigurationError: If the experiment is of another type, or one of the placeholders stands alone.
        """
        experiment = spec.experiment
        if not isinstance(experiment, CommandExperiment):
            raise ConfigurationError(f"experiment.type must be command for this adapter; got {experiment!r}.")
        words = experiment.command
        named = [place for place in PLACEHOLDERS if any(place in word for word in words)]
        if len(named) == 1:
            raise ConfigurationError(
                f"experiment.command must name both {{input}} and {{output}}, or neither; got {' '.join(words)!r}.",
                "Where neither stands, both files are added at the end.",
            )
        return cls(spec, words if named else (*words, *PLACEHOLDERS), experiment.timeout, experiment.parallel)

    def warnings(self) -> list[str]:
        """Say what would keep a trial from being carried out here and now."""
        try:
            self._program()
        except ConfigurationError as error:
            return [str(error)]
        return []

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult | Pending:
        """Start the program of a trial, or see what has become of it.

        Raises:
            ConfigurationError: If the program is not there, or cannot be started.
            TemporaryExperimentError: If it ended with code 75, or was killed.
            ExperimentError: If it ended with another code than 0, took too long, or wrote no proper result.
        """
        folder = context.folder
        if not (folder / supervisor.ENDED).exists():
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / supervisor.LOCK) as lock:
                if lock is None:
                    return Pending(detail=f"The program of trial {context.trial_id} is running.")
                if not (folder / supervisor.STARTED).exists():
                    return self._start(order_message(configuration, context, self.spec), folder, lock)
                if not (folder / supervisor.ENDED).exists():
                    return self._after_a_crash(context)
        return self._conclude(context)

    def _start(self, order: dict[str, object], folder: Path, lock: int) -> Pending:
        """Start a supervisor that holds the lock and one of the places, where one is free."""
        program = self._program()
        with self._place(folder.parent) as place:
            if place is None:
                return Pending(detail=f"{self.parallel} others are running (experiment.parallel).")
            words = [program, *(_filled(word, folder) for word in self.words[1:])]
            timeout_s = None if self.timeout is None else duration_s(self.timeout, "timeout")
            supervisor.write(folder / INPUT, order)
            call: dict[str, object] = {
                "words": words,
                "cwd": str(self.spec.base_dir),
                "timeout_s": timeout_s,
                "n": _n_calls(folder) + 1,
            }
            supervisor.write(folder / supervisor.CALL, call)
            subprocess.run(
                [sys.executable, "-I", supervisor.__file__, str(folder), str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(lock, place),
                check=True,
            )
        return Pending(detail="The program was started.")

    def _conclude(self, context: TrialContext) -> AdapterResult:
        """Turn how a program ended into a result."""
        folder, name = context.folder, Path(self.words[0]).name
        ended: dict[str, Any] = json.loads((folder / supervisor.ENDED).read_text(encoding="utf-8"))
        code, said = ended["exit_code"], _last_line(folder / supervisor.STDERR)
        if ended["error"]:
            for mark in (supervisor.CALL, supervisor.STARTED, supervisor.ENDED):
                (folder / mark).unlink(missing_ok=True)
            raise ConfigurationError(f"experiment.command must be a program that can be run; got {ended['error']}.")
        if ended["is_timeout"]:
            raise ExperimentError(
                f"The program {name} must end within {self.timeout} (experiment.timeout); it was ended.{said}"
            )
        if code == EX_TEMPFAIL:
            raise TemporaryExperimentError(f"The program {name} asks to be called again (code {EX_TEMPFAIL}).{said}")
        if code < 0 and -code in FROM_OUTSIDE:
            raise TemporaryExperimentError(f"The program {name} was ended by {signal.Signals(-code).name}.{said}")
        if code:
            raise ExperimentError(f"The program {name} must end with code 0; got {code}.{said}")
        return self._read_output(context)

    def _after_a_crash(self, context: TrialContext) -> AdapterResult:
        """Take the result of a program whose supervisor was killed, where it has written one."""
        try:
            return self._read_output(context)
        except TemporaryExperimentError:
            raise
        except ExperimentError as error:
            raise TemporaryExperimentError(
                f"The program {Path(self.words[0]).name} was killed before its result was whole.", error.message
            ) from None

    def _read_output(self, context: TrialContext) -> AdapterResult:
        path, who = context.folder / OUTPUT, f"The program {Path(self.words[0]).name}"
        try:
            report = read_report(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            said = _last_line(context.folder / supervisor.STDERR)
            raise ExperimentError(f"{who} must write its result to {{output}}; it wrote none.{said}") from None
        except ValueError as error:
            raise ExperimentError(f"{who} must write a JSON object with outcomes; got: {error} ({path}).") from None
        if report.status in ("queued", "running"):
            raise ExperimentError(f"{who} must report completed or failed; got {report.status} ({path}).")
        return result_of(report, self.spec, who, context.outcomes)

    def _program(self) -> str:
        """Find the program: a path starts from the campaign's folder, a bare name is looked up as a shell would.

        Raises:
            ConfigurationError: If it is not there, or cannot be executed.
        """
        word = _filled(self.words[0], Path())
        found = shutil.which(str(self.spec.base_dir / Path(word).expanduser()) if os.sep in word else word)
        if found is None:
            raise ConfigurationError(
                f"experiment.command must begin with a program that can be executed; got {word!r}, looked for "
                f"{f'in {self.spec.base_dir}' if os.sep in word else 'on the PATH'}.",
                "Give its path, relative to the campaign file, and make it executable (chmod +x).",
            )
        return os.path.abspath(found)

    @contextmanager
    def _place(self, folder: Path) -> Iterator[int | None]:
        """Lock one of the campaign's places; None where as many programs run as may."""
        for i in range(self.parallel):
            path = folder / SLOTS / f"{digest(self.spec.name)}-{i}"
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path) as place:
                if place is not None:
                    yield place
                    return
        yield None


def _n_calls(folder: Path) -> int:
    """Return how often a supervisor was called that left no sign of having started.

    Raises:
        TemporaryExperimentError: If that has happened too often.
    """
    path = folder / supervisor.CALL
    n_calls = int(json.loads(path.read_text(encoding="utf-8"))["n"]) if path.exists() else 0
    if n_calls >= MAX_CALLS:
        raise TemporaryExperimentError(f"The program could not be started; nothing was written to {folder}.")
    return n_calls


def _filled(word: str, folder: Path) -> str:
    """Put the files' paths in place of their placeholders."""
    for place, name in PLACEHOLDERS.items():
        word = word.replace(place, str(folder / name))
    return word


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """Open and lock a file; None where another process has it. A child that inherits the descriptor keeps the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _last_line(path: Path) -> str:
    """Return the last line of what a program complained about, for the end of a message; empty where it did not."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    said = [shortened(line) for line in lines if line.strip()]
    return f" It said: {said[-1]}" if said else ""
