"""What a server keeps of a campaign holds no secret: its logs, artifacts, runs and events are searched for one."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.experiments.fake_lab import FakeLab, Said

TOKEN = "tk-7f3a9c55d1e24b0e"
pytestmark = [pytest.mark.flow, pytest.mark.slow]


def test_a_server_never_sees_the_token_of_a_laboratory(full_server: str, write: Callable[..., Path]) -> None:
    """A campaign whose laboratory wants a token, and once says it back in an error, leaves no trace of it anywhere."""
    (told := FakeLab(token=TOKEN)).posts.append(Said(422, {"error": f"cannot read Bearer {TOKEN}"}))
    with told.opened() as lab:
        file = write(
            name="discreet",
            parameters=[{"name": "temperature", "type": "discrete", "values": [20, 40, 60, 80, 100]}],
            candidates=None,
            experiment={"type": "http", "url": lab.url, "token": "env:LAB_TOKEN", "poll": "1s"},
            budget={"experiments": 2},
            acquisition={"batch_size": 1},
        )
        done = subprocess.run(
            [sys.executable, "-m", "discovery.cli.main", "run", str(file), "--verbose"],
            env={**os.environ, "LAB_TOKEN": TOKEN, "PREFECT_API_URL": full_server, "PREFECT_LOGGING_LEVEL": "DEBUG"}
            | {"PREFECT_LOGGING_TO_API_ENABLED": "true", "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert done.returncode == 0, done.stderr
    kept = kept_by(full_server)
    assert "discreet" in kept["artifacts"] and "discreet campaign" in kept["flow_runs"] and len(kept["logs"]) > 1000
    assert "cannot read" in "".join(kept.values()) + done.stderr + stored(file)  # the error itself is told
    for where, text in {**kept, "stdout": done.stdout, "stderr": done.stderr, "files": stored(file)}.items():
        assert TOKEN not in text, where


def kept_by(url: str) -> dict[str, str]:
    """Return everything that a server keeps of runs, as text by kind."""
    kinds = ("logs", "artifacts", "flow_runs", "task_runs")
    return {**{kind: "".join(pages(url, kind)) for kind in kinds}, "events": "".join(event_pages(url))}


def pages(url: str, kind: str) -> Iterator[str]:
    """Yield all pages of one kind of record."""
    for offset in itertools.count(0, 200):
        page = httpx.post(f"{url}/{kind}/filter", json={"limit": 200, "offset": offset}, timeout=60)
        yield page.raise_for_status().text
        if len(page.json()) < 200:
            return


def event_pages(url: str) -> Iterator[str]:
    """Yield all pages of the event feed."""
    page = httpx.post(f"{url}/events/filter", json={"limit": 50}, timeout=60)
    yield page.raise_for_status().text
    while following := page.json()["next_page"]:
        page = httpx.get(following, timeout=60)
        yield page.raise_for_status().text


def stored(file: Path) -> str:
    """Return all files beside a campaign file as text, the store with all its rows."""
    from discovery.store import Store

    text = "".join(
        path.read_bytes().decode(errors="replace")
        for path in file.parent.rglob("*")
        if path.suffix != ".duckdb" and path.is_file()
    )
    trials = Store(file.parent / "discovery.duckdb").trials("discreet")
    return text + trials.to_json()
