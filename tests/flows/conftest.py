"""One embedded Prefect server for the whole session, and a small campaign that needs no training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

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
