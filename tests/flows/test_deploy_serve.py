"""`discovery deploy --serve` as a team uses it: its own server with a password, a schedule, and every kind of end."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from discovery.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.skipif(os.name != "posix", reason="signals")]
SECRET = "lab:never-shown-7c1f"
TOKEN = base64.b64encode(SECRET.encode()).decode()
LIMIT_S = 400.0  # on a machine that does ten other things


@dataclass
class Served:
    """A command that serves, and how to speak to its server."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path

    def ask(self, path: str, body: object = None, token: str = TOKEN) -> tuple[int, str]:
        """Ask the server; return the status and what it answered."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Basic {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def said(self) -> str:
        """What the command printed and noted so far."""
        return (self.folder / "out.txt").read_text() + (self.folder / "err.txt").read_text()


def environment(**changes: str) -> dict[str, str]:
    """The environment of a user who has set nothing of Prefect."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, **changes}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start `discovery deploy FILE --serve` and wait until its deployments are told; it is ended with the test."""
    started: list[Served] = []

    def start(file: Path, **settings: str) -> Served:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "discovery.cli.main", "deploy", str(file), "--serve", "--port", str(port)]
        with (tmp_path / "out.txt").open("wb") as out, (tmp_path / "err.txt").open("wb") as err:
            told = environment(**settings)
            process = subprocess.Popen(command, stdout=out, stderr=err, env=told, start_new_session=True)
        started.append(Served(process, f"http://127.0.0.1:{port}", tmp_path))
        wait_for(lambda: "Running them until Ctrl-C" in started[-1].said(), started[-1])
        return started[-1]

    yield start
    for one in started:
        with suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)  # runs that outlived the command as well
        one.process.wait()


def wait_for(condition: Callable[[], bool], served: Served) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert served.process.poll() is None and time.monotonic() < deadline, served.said()
        time.sleep(0.5)


def is_up(url: str) -> bool:
    """Say whether a server answers."""
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=5):
            return True
    except OSError:
        return False


def test_a_campaign_with_a_schedule_runs_to_its_end_behind_a_password(write, serve):
    """Scheduled runs are made, one carries the campaign to its end; nobody gets in without the password, which is
    nowhere to be found afterwards; and the server is gone when the command is killed outright."""
    served = serve(write(schedule="* * * * *", budget={"experiments": 2}), PREFECT_SERVER_API_AUTH_STRING=SECRET)
    for path in ("/api/admin/version", "/api/admin/settings", "/api/deployments/name/campaign/Lab_1"):
        assert served.ask(path, token="")[0] == served.ask(path, token=TOKEN[::-1])[0] == 401
        assert served.ask(path)[0] == 200
    assert served.ask("/api/health", token="")[0] == served.ask("/", token="")[0] == 200
    done = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "flows": {"name": {"any_": ["campaign"]}}}

    def of_schedule() -> list[str]:
        runs = json.loads(served.ask("/api/flow_runs/filter", done)[1])
        return [run["name"] for run in runs if run["auto_scheduled"]]

    wait_for(lambda: bool(of_schedule()), served)
    assert set(of_schedule()) == {"Lab_1 campaign"}
    assert len(Store(served.folder / "discovery.duckdb").measurements("Lab_1")) == 2
    logs = served.ask("/api/logs/filter", {"logs": {"level": {"ge_": 0}}})[1]
    assert "Finished in state Completed" in logs
    check_refused(served, write(name="other", store="other.duckdb"))
    served.process.send_signal(signal.SIGKILL)
    served.process.wait()
    deadline = time.monotonic() + 30
    while is_up(served.url):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    shown = served.said().encode()
    files = [path for path in served.folder.rglob("*") if path.is_file()]
    assert any(path.name == "prefect.db" for path in files)
    for text in (shown, logs.encode(), *(path.read_bytes() for path in files)):
        assert SECRET.encode() not in text and TOKEN.encode() not in text


def check_refused(served: Served, file: Path) -> None:
    """Check what `run` and `deploy` say to who has no password, or a wrong one: one sentence that holds none."""
    for command in (["run"], ["deploy", "--pool", "x"]):
        for password in ({}, {"PREFECT_API_AUTH_STRING": "lab:wrong-9d"}):
            words = [sys.executable, "-m", "discovery.cli.main", *command, str(file)]
            told = environment(PREFECT_API_URL=f"{served.url}/api", **password)
            answer = subprocess.run(words, env=told, capture_output=True, text=True, check=False)
            assert answer.returncode == 1 and not answer.stdout
            assert answer.stderr.count("\n") == 1 and "401" in answer.stderr, answer.stderr
            assert "PREFECT_API_AUTH_STRING" in answer.stderr and "wrong-9d" not in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_the_server_ends_with_the_command(write, serve, number):
    """Ctrl-C and a service manager's end, in the middle of a run: no traceback, and neither server nor run is left."""
    served = serve(write(schedule="* * * * *"))
    wait_for(lambda: "campaign' - Beginning flow run" in served.said(), served)
    served.process.send_signal(number)
    assert served.process.wait(timeout=60) == 0
    assert "Stopped. What was recorded stays" in served.said()
    with pytest.raises(ProcessLookupError):
        os.killpg(served.process.pid, 0)
    assert not is_up(served.url)
    assert "Traceback" not in served.said()


def test_the_next_server_shows_the_runs_of_the_last(write, serve):
    """The database stays beside the store: the same deployment with the same id, and nothing has changed."""
    file = write()
    ids = []
    for _ in range(2):
        served = serve(file)
        ids.append(json.loads(served.ask("/api/deployments/name/campaign/Lab_1", token="")[1])["id"])
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(timeout=60)
    assert ids[0] == ids[1]
