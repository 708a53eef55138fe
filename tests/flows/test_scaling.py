"""Beyond one machine: a Prefect server on PostgreSQL, and workers that reach nothing but it and a shared folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from discovery.session import Campaign
from flows.serving import FullServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
USER = "discovery"
PASSWORD = "somebody:something"
LIMIT_S = 400.0


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster that runs: where its programs are, who owns it, and how to reach it."""

    programs: Path
    owner: str | None
    port: int

    def run(self, program: str, *words: str) -> str:
        """Run one of its programs and return what it printed."""
        here = ["--host", "127.0.0.1", "--port", str(self.port), "--username", USER]
        return run_as(self.owner, [str(self.programs / program), *here, *words])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL cluster of our own, in a folder that everybody may enter."""
    programs, owner = postgres_programs(), unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="discovery-postgres-"))
    folder.chmod(0o755)
    if owner is not None:
        os.chown(folder, pwd.getpwnam(owner).pw_uid, -1)
    data, port = str(folder / "data"), free_port()
    made = ["--pgdata", data, "--auth", "trust", "--username", USER, "--encoding", "UTF8", "--no-sync"]
    run_as(owner, [str(programs / "initdb"), *made])
    words = ["-D", data, "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([programs / "postgres", *words], user=owner, stdout=log, stderr=log)
    started = Cluster(programs, owner, port)
    wait_for(lambda: subprocess.call([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]) == 0)
    yield started
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    shutil.rmtree(folder)


@pytest.fixture
def database(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database that servers started from here on use; gives its name."""
    name = f"prefect_{time.time_ns()}"
    cluster.run("createdb", name)
    url = f"postgresql+asyncpg://{USER}@127.0.0.1:{cluster.port}/{name}"
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", url)
    return name


def test_a_deployed_campaign_runs_to_its_end_on_postgresql(cluster, database, write, tmp_path, monkeypatch):
    """What `discovery deploy` makes runs on a worker of a pool; the server keeps it in PostgreSQL and nowhere else."""
    file = write(budget={"experiments": 4})
    with serving(tmp_path / "prefect", "127.0.0.1") as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        discovery("deploy", file, "--pool", "lab", "--sweep-every", "1h")
        with worker(tmp_path / "worker.log", "lab"):
            ask(url, "campaign/Lab_1")
            wait_for(lambda: ended(url, "campaign"), lambda: (tmp_path / "worker.log").read_text()[-3000:])
    one = Campaign.open(file)
    assert (len(one.measurements()), one.progress().ended_by) == (4, "budget")
    query = "SELECT count(*) FROM flow_run WHERE state_name = 'Completed'"
    assert int(cluster.run("psql", "--dbname", database, "--tuples-only", "--command", query)) >= 6
    assert not list((tmp_path / "prefect").glob("*.db"))


@pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")
def test_trials_go_to_a_host_that_sees_neither_network_nor_database(database, write, tmp_path, monkeypatch):
    """Two hosts with a link to the server each: one has the database, the other an inbox; the campaign ends.

    The hosts are network namespaces. The one that carries out the trials does not see the folder of the database.
    """
    private = tmp_path / "private"
    private.mkdir()
    store = f"duckdb:///{private / 'lab.duckdb'}"
    pool = {"type": "table", "path": "table.csv", "pool": "far"}
    file = write(experiment=pool, inbox="inbox", budget={"experiments": 4}, store=store)
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", PASSWORD)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", PASSWORD)
    with serving(tmp_path / "prefect", "0.0.0.0") as url, host("lab", 1) as near, host("far", 2) as far:
        monkeypatch.setenv("PREFECT_API_URL", url)
        discovery("deploy", file, "--pool", "lab", "--sweep-every", "20s")
        port = url.rpartition(":")[2]
        hide = f"mount -t tmpfs none {private} && exec"
        with (
            worker(tmp_path / "near.log", "lab", near, f"http://10.231.1.1:{port}"),
            worker(tmp_path / "far.log", "far", [*far, "sh", "-c", f'{hide} "$@"', "-"], f"http://10.231.2.1:{port}"),
        ):
            assert not can_reach(far, "10.231.1.2") and can_reach(far, "10.231.2.1")
            ask(url, "campaign/Lab_1")
            logs = [tmp_path / "near.log", tmp_path / "far.log"]
            one = Campaign.open(file)
            wait_for(
                lambda: one.progress().is_finished and ended(url, "campaign"),
                lambda: "\n".join(log.read_text()[-3000:] for log in logs),
            )
    measured, trials = one.measurements(), one.store.trials(one.name)
    assert len(measured) == 4 and measured["trial_id"].is_unique
    assert set(measured["source"]) == {f"{trial}.parquet" for trial in trials["trial_id"]}
    assert len(list((tmp_path / "inbox" / "done").glob("*.parquet"))) == 4


@contextmanager
def serving(home: Path, address: str) -> Iterator[str]:
    """Run a whole Prefect server while the body runs; gives the API's address."""
    server = FullServer.start(home, host=address, port=0)
    try:
        server.wait()
        yield server.url
    finally:
        server.stop()


@contextmanager
def worker(log: Path, pool: str, where: Sequence[str] = (), url: str = "") -> Iterator[None]:
    """Run a worker of a pool while the body runs, on a host if one is given."""
    words = [*where, sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    elsewhere = {"PREFECT_API_URL": url} if url else {}
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
    with log.open("wb") as out:
        process = subprocess.Popen(words, env={**os.environ, **elsewhere, **quick}, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@contextmanager
def host(name: str, number: int) -> Iterator[list[str]]:
    """Make a network namespace with a link of its own to this one; gives the words that run a program on it."""
    space, here, there = f"discovery-{name}", f"dsc{number}a", f"dsc{number}b"
    run_as(None, ["ip", "netns", "add", space])
    inside = ["ip", "netns", "exec", space]
    try:
        run_as(None, ["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", space])
        run_as(None, ["ip", "addr", "add", f"10.231.{number}.1/30", "dev", here])
        run_as(None, ["ip", "link", "set", here, "up"])
        run_as(None, [*inside, "ip", "addr", "add", f"10.231.{number}.2/30", "dev", there])
        run_as(None, [*inside, "ip", "link", "set", there, "up"])
        run_as(None, [*inside, "ip", "link", "set", "lo", "up"])
        yield inside
    finally:
        run_as(None, ["ip", "netns", "del", space])  # its link goes with it


def can_reach(where: Sequence[str], address: str) -> bool:
    """Say whether a host has a way to an address."""
    found = subprocess.run([*where, "ip", "route", "get", address], capture_output=True, check=False)
    return found.returncode == 0


def discovery(*words: object) -> None:
    """Run a command of ours that must work."""
    run_as(None, [sys.executable, "-m", "discovery.cli.main", *map(str, words)])


def ask(url: str, deployment: str) -> None:
    """Ask for a run of a deployment, now."""
    found = api(url, "GET", f"/deployments/name/{deployment}")
    api(url, "POST", f"/deployments/{found['id']}/create_flow_run", {})


def ended(url: str, flow: str) -> bool:
    """Say whether a flow has runs, and all of them have ended."""
    runs = api(url, "POST", "/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}})
    return bool(runs) and {run["state_type"] for run in runs} <= {"COMPLETED", "CANCELLED"}


def api(url: str, method: str, path: str, body: object = None) -> Any:
    """Ask the server."""
    auth = tuple(PASSWORD.split(":")) if os.environ.get("PREFECT_API_AUTH_STRING") else None
    answer = httpx.request(method, f"{url}{path}", json=body, auth=auth, timeout=30)
    return answer.raise_for_status().json()


def wait_for(condition: Callable[[], bool], say: Callable[[], str] = str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(1.0)
    pytest.fail(f"It did not happen within {LIMIT_S:.0f} s.\n{say()}")


def run_as(user: str | None, words: Sequence[str]) -> str:
    """Run a program that must work, as another user where one is given; return what it printed."""
    done = subprocess.run(words, user=user, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs: that of `initdb`, or where Debian puts it."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not folders:
        pytest.fail("These tests need PostgreSQL. Install it: apt-get install postgresql")
    return folders[0]


def unprivileged() -> str | None:
    """Return a user that PostgreSQL may run as: this one (None), or another where this one is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
