"""How the database file is opened: late, alone, patiently; and what is said where that fails."""

import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from discovery.errors import ConfigurationError, StoreError, StoreLockedError
from discovery.store import Store, store_path

HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def _hold(path: Path, seconds: float) -> subprocess.Popen:
    """Start a real process that holds the file, and return once it does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_file_held_by_another_process_is_reported_after_the_wait(store):
    """Who waits in vain is told which process holds the file, after the time that was asked for and not much later."""
    impatient = Store(store.path, wait_s=0.4)
    with _hold(store.path, 60) as holder:
        begun = time.monotonic()
        with pytest.raises(StoreLockedError, match=f"held by process {holder.pid} for 0.4 s"):
            impatient.campaigns()
        waited = time.monotonic() - begun
        holder.kill()
    assert 0.2 <= waited < 4
    assert impatient.campaigns()["campaign"].tolist() == ["lab"]


def test_a_file_that_is_released_in_time_is_opened(store):
    """A call that meets a busy file succeeds by itself when the other process is done."""
    with _hold(store.path, 0.6):
        assert Store(store.path, wait_s=30).campaign("lab").version == 1


def test_a_second_thread_waits_and_is_told(store):
    """Threads of one process take turns like processes do."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.transaction():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(10)
    with pytest.raises(StoreLockedError, match="another thread"):
        Store(store.path, wait_s=0.1).campaigns()
    leave.set()
    thread.join()
    assert len(store.campaigns()) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"this is not a database" * 50,
        lambda raw: b"",
        lambda raw: raw[:16] + b"\xff" * 12000 + raw[12016:],
        lambda raw: raw[:12288] + b"\xff" * (len(raw) - 12288),
    ],
    ids=["text", "empty", "header", "blocks"],
)
def test_a_corrupt_file_is_one_sentence_and_stays_as_it_is(store, damage):
    """A damaged file is reported with its path and what to do, and not a byte of it changes."""
    damaged = damage(store.path.read_bytes())
    store.path.write_bytes(damaged)
    with pytest.raises(StoreError, match="must be a readable DuckDB file") as caught:
        store.campaigns()
    assert str(store.path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert store.path.read_bytes() == damaged
    assert [path.name for path in store.path.parent.glob("lab*")] == ["lab.duckdb"]


def test_a_database_of_something_else_is_left_alone(tmp_path):
    """Someone else's DuckDB file does not get our tables."""
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE sales (a INTEGER)")
    with pytest.raises(StoreError, match="got one with the table sales"):
        Store(path).campaigns()
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("sales",)]


def test_calls_in_one_transaction_land_together_or_not_at_all(store):
    """An error between two calls undoes the first one as well."""
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.add_metric("lab", 1, "seconds", 1.0)
        store.set_campaign_status("lab", "FINISHED")
        assert store.campaign("lab").status == "FINISHED"
        raise ZeroDivisionError
    assert store.campaign("lab").status == "ACTIVE"
    assert store.metrics("lab").empty
    with store.transaction():
        store.add_metric("lab", 1, "seconds", 1.0)
        store.add_metric("lab", 2, "seconds", 2.0)
    assert store.metrics("lab")["value"].tolist() == [1.0, 2.0]


def test_what_duckdb_refuses_is_a_store_error(store):
    """No DuckDB error reaches a caller as it is."""
    with pytest.raises(StoreError, match="refused the operation"), store.database.transaction() as connection:
        connection.execute("SELECT * FROM nothing")


def test_a_store_pickles_and_holds_no_connection(store):
    """A store may be sent to a worker process; between calls the file is free for others."""
    again = pickle.loads(pickle.dumps(store))
    assert again.campaign("lab").version == 1
    with duckdb.connect(str(store.path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM campaigns").fetchone() == (1,)


def test_the_first_use_makes_the_folder_and_the_file(tmp_path):
    """Naming a store is enough to have one."""
    store = Store(f"duckdb:///{tmp_path}/new/deep/lab.duckdb")
    assert not store.path.exists()
    assert store.campaigns().empty
    assert store.path == tmp_path / "new" / "deep" / "lab.duckdb"
    assert store.path.is_file()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    """A file where a folder should be is said in one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be one that can be made"):
        Store(tmp_path / "file" / "lab.duckdb").campaigns()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("duckdb:///lab.duckdb", "/base/lab.duckdb"),
        ("duckdb:////abs/lab.duckdb", "/abs/lab.duckdb"),
        ("sub/lab.duckdb", "/base/sub/lab.duckdb"),
        ("/abs/lab.duckdb", "/abs/lab.duckdb"),
    ],
)
def test_a_url_or_path_names_a_file(url, expected):
    """Three slashes mean a file beside the campaign, four an absolute path."""
    assert store_path(url, "/base") == Path(expected)


@pytest.mark.parametrize("url", ["", "duckdb:///", ":memory:", "duckdb:///:memory:", "postgres://host/db", "duckdb:x"])
def test_what_names_no_file_is_refused(url):
    """A store that could not outlive one call is refused before anything is written."""
    with pytest.raises(ConfigurationError, match="store must be a file path"):
        store_path(url)


def test_a_campaign_finds_its_store(spec, tmp_path, monkeypatch):
    """The spec's own store comes first, then the environment, then a file beside the campaign file."""
    monkeypatch.delenv("DISCOVERY_STORE", raising=False)
    assert Store.of(spec).path == spec.base_dir / "discovery.duckdb"
    monkeypatch.setenv("DISCOVERY_STORE", os.path.join(tmp_path, "shared", "lab.duckdb"))
    assert Store.of(spec).path == tmp_path / "shared" / "lab.duckdb"
    named = type(spec).from_mapping({**spec.model_dump(exclude_none=True), "store": "duckdb:///own.duckdb"}, tmp_path)
    assert Store.of(named).path == tmp_path / "own.duckdb"
