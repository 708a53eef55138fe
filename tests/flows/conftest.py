"""One embedded Prefect server for the whole session, and a small campaign that needs no training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.runtime import EmbeddedServer, prefect_runtime
from flows.serving import FullServer

VALUES = [f"L{i:02d}" for i in range(24)]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The server that users get, started once; it starts while other tests run until one needs it."""
    started = EmbeddedServer.start(tmp_path_factory.mktemp("prefect"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def prefect(server: EmbeddedServer) -> Iterator[str]:
    """Prefect ready for flows in this process; gives the API's address."""
    before = dict(os.environ)
    with prefect_runtime(server.log.parent, server=server):
        yield server.url
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def full_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A whole server, with pages and scheduler, for slow tests; gives the API's address."""
    started = FullServer.start(tmp_path_factory.mktemp("prefect-full"), port=0)
    started.wait()
    yield started.url
    started.stop()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a campaign file with 24 candidates in a table, with changes to its keys."""
    monkeypatch.delenv("DISCOVERY_STORE", raising=False)
    rows = "".join(f"{value},{50 + 40 * ((7 * i) % 24) / 24:.3f}\n" for i, value in enumerate(VALUES))
    (tmp_path / "table.csv").write_text(f"ligand,yield\n{rows}")

    def write_file(**changes: object) -> Path:
        data = {
            "name": "Lab_1",
            "parameters": [{"name": "ligand", "type": "categorical", "values": VALUES}],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "candidates": "table.csv",
            "acquisition": {"batch_size": 2},
            "budget": {"experiments": 6},
            "experiment": {"type": "table", "path": "table.csv"},
            **changes,
        }
        path = tmp_path / "lab.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
        return path

    return write_file


@dataclass
class Desk:
    """A campaign that is deployed on the full server and served by a child, and how people get at its review forms."""

    url: str
    file: Path
    campaign: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def serve(self) -> None:
        """Start to carry out the campaign's runs."""
        command = [sys.executable, "-m", "discovery.cli.main", "deploy", str(self.file), "--serve"]
        log = self.file.parent / f"served-{len(self.processes)}.txt"
        with log.open("wb") as out:
            environment = {**os.environ, "PREFECT_API_URL": self.url}
            self.processes.append(subprocess.Popen(command, stdout=out, stderr=out, env=environment))
        self.wait(lambda: "Running them until Ctrl-C" in log.read_text(), log.read_text)

    def stop(self) -> None:
        """End whoever carries out runs, at once and for good."""
        for process in self.processes:
            process.kill()
            process.wait()

    def ask(self, method: str, path: str, **body: object) -> Any:
        """Ask the server, again where its database is busy, and return its answer."""
        for pause in (1, 2, 4, 0):
            answer = httpx.request(method, f"{self.url}{path}", json=body or None, timeout=30)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(pause)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def decide(self, **parameters: object) -> str:
        """Start a review; returns the id of the run."""
        deployment = self.ask("GET", f"/deployments/name/decide/{self.campaign}")["id"]
        made = self.ask("POST", f"/deployments/{deployment}/create_flow_run", parameters=parameters)
        return str(made["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """Return a run as the server knows it."""
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run_id}")
        return found

    def until(self, run_id: str, state: str, n_forms: int = 0) -> dict[str, Any]:
        """Wait until a run has a state, and has shown a number of forms; returns the run."""

        def is_there() -> bool:
            run = self.run(run_id)
            return run["state"]["name"] == state and len(run["empirical_policy"]["pause_keys"]) >= n_forms

        self.wait(is_there, lambda: f"{self.run(run_id)['state']}, {state} is awaited")
        return self.run(run_id)

    def resume(self, run_id: str, **answer: object) -> dict[str, Any]:
        """Answer the form of a run; returns what the server says to it."""
        said: dict[str, Any] = self.ask("POST", f"/flow_runs/{run_id}/resume", run_input=answer)
        return said

    def form(self, run_id: str) -> tuple[dict[str, Any], str]:
        """Return the schema of the form that a run shows, and what stands above it."""
        keys = self.run(run_id)["state"]["state_details"]["run_input_keyset"]
        schema, above = (
            self.ask("GET", f"/flow_runs/{run_id}/input/{keys[name]}") for name in ("schema", "description")
        )
        return schema, above

    def wait(self, condition: Callable[[], bool], tell: Callable[[], object]) -> None:
        """Wait until something holds; says what does not where it takes too long."""
        deadline = time.monotonic() + 200
        while not condition():
            assert time.monotonic() < deadline, tell()
            time.sleep(0.5)


@pytest.fixture
def desk(full_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, str], Desk]]:
    """Deploy a campaign file on the full server and serve it until the test ends."""
    made: list[Desk] = []
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)

    def deploy(file: Path, campaign: str) -> Desk:
        made.append(Desk(full_server, file, campaign))
        made[-1].serve()
        return made[-1]

    yield deploy
    for one in made:
        one.stop()
