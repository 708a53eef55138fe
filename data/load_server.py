"""The runner and the server of a load test: `discovery deploy --serve` as a child, asked for runs over its API."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import yaml

from discovery.errors import DiscoveryError

PAGE = 200  # rows that the server gives at once
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
BUSY_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0)
READY = "Running them until"
OF_CAMPAIGNS = {"flows": {"name": {"any_": ["campaign"]}}}


@contextmanager
def running(
    files: Sequence[Path], folder: Path, limit: int, poll_s: float | None
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """Run `discovery deploy --serve` while the body runs; yields its process and a client of its server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["deploy", *map(str, files), "--serve", "--limit", str(limit), "--port", str(port)]
    command = [sys.executable, "-m", "discovery.cli.main", *words, "--sweep-every", "24h"]
    own = {
        "PREFECT_HOME": str(folder / ".prefect"),
        "PREFECT_LOGGING_SETTINGS_PATH": str(_write_logging(folder)),
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        **({"PREFECT_RUNNER_POLL_FREQUENCY": f"{poll_s:g}"} if poll_s else {}),
    }
    environment = {name: value for name, value in os.environ.items() if name != "DISCOVERY_STORE"}
    with (folder / "deploy.log").open("wb") as log:
        process = subprocess.Popen(command, env={**environment, **own}, stdout=log, stderr=log)
    url = os.environ.get("PREFECT_API_URL") or f"http://127.0.0.1:{port}/api"
    try:
        with httpx.Client(base_url=url, timeout=60) as api:
            yield process, api
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def deployed(api: httpx.Client, folder: Path, process: subprocess.Popen[bytes], limit_s: float) -> list[str]:
    """Wait until all campaigns are deployed and their runner runs; return the ids of their deployments.

    Raises:
        DiscoveryError: If that takes too long.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        if READY in (folder / "deploy.log").read_text(errors="replace"):
            return [row["id"] for row in read_all(api, "/deployments/filter", OF_CAMPAIGNS)]
        time.sleep(1.0)
    raise DiscoveryError(f"Campaigns must be deployed within {limit_s:.0f} s; see {folder / 'deploy.log'}.")


def make_due(api: httpx.Client, ids: Sequence[str], parameters: dict[str, Any], key: str) -> None:
    """Ask for a run of each deployment, now; under the same key only once."""
    for one in ids:
        body = {"parameters": parameters, "idempotency_key": f"{one}-{key}"}
        call(api, f"/deployments/{one}/create_flow_run", body)


def wait_until_idle(api: httpx.Client, process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait until no run of a campaign is due or under way.

    Raises:
        DiscoveryError: If the runner ends, or patience does.
    """
    body = {**OF_CAMPAIGNS, "flow_runs": {"state": {"type": {"not_any_": list(FINAL)}}}}
    while time.monotonic() < deadline and process.poll() is None:
        if not call(api, "/flow_runs/count", body):
            return
        time.sleep(1.0)
    raise DiscoveryError("All runs must end in time while their runner lives; they did not.", "See deploy.log.")


def call(api: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    """Ask the server, and again where it is too busy to answer.

    Raises:
        DiscoveryError: If it stays busy.
    """
    said = ""
    for pause in BUSY_PAUSES_S:
        try:
            answer = api.post(path, json=body)
            if answer.status_code < 500:
                return answer.raise_for_status().json()
            said = str(answer.status_code)
        except httpx.TimeoutException as error:
            said = str(error)
        time.sleep(pause)
    raise DiscoveryError(f"The server must answer {path}; got {said} {len(BUSY_PAUSES_S)} times.")


def campaign_runs(api: httpx.Client) -> pd.DataFrame:
    """Return the runs of campaigns: whether asked for, when due, started and done (UTC), state and message."""
    rows = read_all(api, "/flow_runs/filter", OF_CAMPAIGNS)
    frame = pd.DataFrame(
        {
            "is_asked": ["cycles" in row["parameters"] and row["parameters"]["cycles"] == 1 for row in rows],
            "due": [row["expected_start_time"] for row in rows],
            "started": [row["start_time"] for row in rows],
            "done": [row["end_time"] for row in rows],
            "state": [row["state_name"] for row in rows],
            "message": [row["state"]["message"] or "" for row in rows],
        }
    )
    moments = ["due", "started", "done"]
    return frame.assign(**{name: pd.to_datetime(frame[name], format="ISO8601", utc=True) for name in moments})


def read_all(api: httpx.Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every row that a filter of the server finds."""
    rows: list[dict[str, Any]] = []
    while page := call(api, path, {**body, "limit": PAGE, "offset": len(rows)}):
        rows += page
    return rows


def _write_logging(folder: Path) -> Path:
    """Write a logging configuration that keeps what the store says of its waits, and nothing else."""
    handler = {"class": "logging.FileHandler", "filename": str(folder / "waits.log"), "level": "DEBUG"}
    loggers = {"discovery.store.connection": {"level": "DEBUG", "handlers": ["waits"], "propagate": False}}
    path = folder / "logging.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"waits": handler},
                "loggers": loggers,
            }
        )
    )
    return path
