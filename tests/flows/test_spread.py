"""Work spread over engines: the same results whoever does it, faults in one sentence, nothing loaded unasked."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from discovery.errors import ConfigurationError, DiscoveryError
from discovery.evaluation.workers import run_all
from flows import spread
from flows.spread import DASK, PROCESSES, RAY, carry_out, spreading

CAMPAIGN = Path(__file__).parents[2] / "data" / "campaigns" / "suzuki_reizman_case_4.yaml"
REPLAY = ("backtest", CAMPAIGN, "--methods", "no_transfer,random", "--experiments", 5, "--initial", 2, "--seeds", 2)
BENCH = ("bench", "campaigns", "--families", "suzuki_reizman", "--methods", "random", "--tasks", 2, "--seeds", 1)
FORECAST = ("forecast", CAMPAIGN, "--draws", 40, "--experiments", 20)
TIMES = re.compile(r"seconds.*|.*_s|.*_s_at_\d+")


def test_processes_need_nothing(tmp_path):
    """The engine of this machine is the library's own; neither Prefect nor a server is started."""
    with spreading(PROCESSES, tmp_path) as engine:
        assert engine is run_all
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [DASK, RAY])
def test_an_engine_that_is_not_installed_says_how_to_install_it(name, tmp_path, monkeypatch):
    """Before a server is started, one sentence names the package and the command."""
    monkeypatch.setattr(spread, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=rf"prefect-{name}.*discovery-pipeline\[{name}\]"):
        spreading(name, tmp_path).__enter__()
    assert not list(tmp_path.iterdir())


def test_an_unknown_engine_is_refused(tmp_path):
    """The engines are named."""
    with pytest.raises(ConfigurationError, match="processes, dask, ray; got 'spark'"):
        spreading("spark", tmp_path).__enter__()


def test_a_piece_is_done_as_in_a_process_of_this_machine():
    """A worker calls the function with its arguments; a fault is one sentence that names the piece."""
    assert carry_out(pickle.dumps((math.sqrt, "first", (4.0,)))) == 2.0
    with pytest.raises(DiscoveryError, match=r"^second must finish; got ValueError"):
        carry_out(pickle.dumps((math.sqrt, "second", (-1.0,))))


@pytest.mark.slow
@pytest.mark.parametrize("name", [DASK, RAY])
@pytest.mark.parametrize("words", [REPLAY, BENCH, FORECAST], ids=["backtest", "bench", "forecast"])
def test_results_do_not_depend_on_the_engine(name, words, tmp_path, monkeypatch):
    """The same command gives the same JSON from processes and from a cluster that is made for it, times aside."""
    monkeypatch.delenv("DISCOVERY_DATASETS", raising=False)  # the bench is of a family that comes along
    here = answer(tmp_path, PROCESSES, *words)
    assert here and answer(tmp_path, name, *words) == here


@pytest.mark.slow
def test_a_cluster_that_runs_is_used(tmp_path, scheduler):
    """With its address in the environment the pieces go to a Dask cluster that others have started."""
    assert answer(tmp_path, DASK, *REPLAY, DISCOVERY_DASK=scheduler) == answer(tmp_path, PROCESSES, *REPLAY)


@pytest.mark.slow
def test_a_cluster_out_of_reach_is_a_sentence(tmp_path):
    """An address where nobody answers ends the command with code 1 and one line that names it."""
    away = f"tcp://127.0.0.1:{free_port()}"
    done = run(tmp_path, DASK, *REPLAY, DISCOVERY_DASK=away, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="2s")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and away in done.stderr


@pytest.fixture
def scheduler() -> Iterator[str]:
    """A Dask scheduler with one worker, started by its own commands; gives the scheduler's address."""
    address = f"tcp://127.0.0.1:{free_port()}"
    starts = (
        ["scheduler", "--host", address, "--no-dashboard", "--protocol", "tcp"],
        ["worker", address, "--nthreads", "1", "--no-dashboard"],
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen([sys.executable, "-m", "dask", *words], **quiet) for words in starts]
    wait_for(address)
    yield address
    for process in reversed(running):
        process.terminate()
        process.wait(timeout=30)


def answer(folder: Path, engine: str, *words: object, **environment: str) -> object:
    """Return what a command prints as JSON, without times."""
    done = run(folder, engine, *words, **environment)
    assert done.returncode == 0, done.stderr
    return timeless(json.loads(done.stdout))


def run(folder: Path, engine: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with an engine in a cache of its own, so that nothing is known from before."""
    own = folder / engine
    command = [sys.executable, "-m", "discovery.cli.main", *map(str, words), "--engine", engine, "--workers", "2"]
    elsewhere = {"DISCOVERY_CACHE": str(own), "DISCOVERY_STORE": str(own / "lab.duckdb"), **environment}
    return subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=False, env={**os.environ, **elsewhere}
    )


def timeless(value: object) -> object:
    """Leave out what the clock says."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if not TIMES.fullmatch(key)}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str) -> None:
    """Wait until somebody listens at `tcp://HOST:PORT`."""
    host, _, port = address.removeprefix("tcp://").partition(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"Nobody listens at {address}.")
