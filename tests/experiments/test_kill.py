"""The process that carries trials out is killed for real, at the worst moments: every experiment is made once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.campaign import CampaignSpec, dump_spec
from discovery.store import Store
from tests.experiments.fake_lab import FakeLab

CARRY_OUT = """
import sys
from discovery.campaign import load_spec
from discovery.experiments import adapter_for, carry_out
from discovery.space import SearchSpace
from discovery.store import Store
spec = load_spec(sys.argv[1])
print("ready", flush=True)
carry_out(Store(sys.argv[2]), sys.argv[3:], adapter_for(spec, SearchSpace.from_spec(spec)), spec)
"""
N_KILLS = 8
IDS = ["lab-c001-00", "lab-c001-01", "lab-c001-02"]
PROGRAM = """#!/bin/sh
echo run >> runs.txt
sleep 0.5
echo '{"outcomes": {"yield": 5}}' > "$2"
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(make_spec: Callable[..., CampaignSpec], store: Store, tmp_path: Path) -> Start:
    """Return a function that starts a process which carries all proposals out."""

    def begin(**experiment: object) -> subprocess.Popen[bytes]:
        dump_spec(make_spec(experiment=experiment), tmp_path / "lab.yaml")
        words = [sys.executable, "-c", CARRY_OUT, str(tmp_path / "lab.yaml"), str(store.path), *IDS]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.stdout.close()
        return process

    return begin


def check_all_are_reported_once(store: Store) -> None:
    """Check that every proposal has one trial, and that it has reported."""
    trials = store.trials("lab")
    assert sorted(trials["proposal_id"]) == IDS
    assert trials["attempt"].eq(1).all() and trials["reported_at"].notna().all()


@pytest.mark.parametrize("moment", ["POST", pytest.param("GET", marks=pytest.mark.slow)])
def test_a_submitter_that_is_killed_submits_nothing_twice(start: Start, store: Store, moment: str) -> None:
    """Killed after the laboratory took an order and before it heard so, or while it waits: each is made once."""
    lab, asked = FakeLab(n_polls=1), []
    with lab.opened():
        process = start(type="http", url=lab.url, poll="0.05s")

        def kill(method: str) -> None:
            if method == moment and not asked:
                asked.append(method)
                process.kill()
                process.wait()

        lab.on_request = kill
        assert process.wait(timeout=60) == -signal.SIGKILL
        assert lab.made and store.trials("lab")["reported_at"].isna().all()
        assert start(type="http", url=lab.url, poll="0.05s").wait(timeout=60) == 0
    assert len(lab.made) == len({order["trial_id"] for order in lab.made}) == 3
    assert len(lab.keys) == (4 if moment == "POST" else 3)
    check_all_are_reported_once(store)


@pytest.mark.slow
def test_a_caller_that_is_killed_calls_nothing_twice(start: Start, store: Store, tmp_path: Path) -> None:
    """Killed while a program runs: the program ends its work, its result is taken, and the others follow."""
    runs = tmp_path / "runs.txt"
    (tmp_path / "measure.sh").write_text(PROGRAM)
    (tmp_path / "measure.sh").chmod(0o755)
    process = start(type="command", command=["./measure.sh"])
    while not runs.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL and runs.read_text() == "run\n"
    assert start(type="command", command=["./measure.sh"]).wait(timeout=60) == 0
    assert runs.read_text() == "run\n" * 3
    check_all_are_reported_once(store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["http", "command"])
@pytest.mark.parametrize("seed", range(3))
def test_a_process_that_is_killed_again_and_again_gets_there(
    start: Start, store: Store, tmp_path: Path, kind: str, seed: int
) -> None:
    """Killed at random moments, as often as it takes: no experiment is made twice, and none is lost."""
    moments, lab = random.Random(seed), FakeLab(n_polls=3)
    (tmp_path / "measure.sh").write_text(PROGRAM)
    (tmp_path / "measure.sh").chmod(0o755)
    experiment: dict[str, object] = {"type": "command", "command": ["./measure.sh"], "parallel": 2}
    with lab.opened():
        if kind == "http":
            experiment = {"type": "http", "url": lab.url, "poll": "0.2s"}
        for _ in range(N_KILLS):
            process = start(**experiment)
            time.sleep(moments.uniform(0.0, 1.0))
            process.kill()
            process.wait()
        assert start(**experiment).wait(timeout=120) == 0
    n_made = len(lab.made) if kind == "http" else len((tmp_path / "runs.txt").read_text().splitlines())
    assert n_made == 3
    check_all_are_reported_once(store)
