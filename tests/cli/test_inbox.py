"""`watch` and `sweep`: what comes in by itself, and what was missed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discovery.store import Store


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


@pytest.fixture
def lab(write) -> Path:
    """A campaign with an inbox."""
    return write(inbox="inbox", experiment=None)


def drop_rows(folder: Path, name: str = "monday.csv", n: int = 2) -> None:
    """Drop the first rows of the table into the inbox."""
    (folder / "inbox").mkdir(exist_ok=True)
    lines = (folder / "table.csv").read_text().splitlines(keepends=True)
    (folder / "inbox" / name).write_text("".join(lines[: n + 1]))


def test_watch_once_takes_in_what_is_there(cli, lab, folder):
    """The rows land, the file moves, and the command that goes on is named; the next look finds nothing."""
    drop_rows(folder)
    answer = cli("watch", lab, "--once", "--settle", "0.01s")
    assert answer.code == 0
    assert "lab: monday.csv was accepted. 2 measurements added" in answer.out
    assert f"Go on: discovery run {lab}" in answer.out and str(folder / "inbox") in answer.err
    assert (folder / "inbox" / "done" / "monday.csv").is_file()
    assert "Nothing new." in cli("watch", lab, "--once", "--settle", "0.01s").err


def test_watch_once_as_json(cli, lab, folder):
    """The result is one object, also where there is nothing."""
    assert cli("watch", lab, "--once", "--settle", "0.01s", "--json").json == {"files": [], "n_events_told": 0}
    drop_rows(folder)
    (taken,) = cli("watch", lab, "--once", "--settle", "0.01s", "--json").json["files"]
    assert (taken["verdict"], taken["n_added"], taken["campaign"]) == ("accepted", 2, "lab")


def test_watch_names_what_it_cannot_read(cli, lab, folder):
    """A file that is no table stays where it is and is named."""
    (folder / "inbox").mkdir()
    (folder / "inbox" / "notes.docx").write_text("hello")
    assert "notes.docx stays where it is" in cli("watch", lab, "--once", "--settle", "0.01s").err


@pytest.mark.parametrize(
    ("changes", "words", "code", "said"),
    [
        ({}, [], 1, "must name an `inbox`"),
        ({"inbox": "share/lab"}, [], 1, "Mount it"),
        ({"inbox": "inbox"}, ["--every", "soon"], 2, "--every"),
        ({"inbox": "inbox"}, ["--settle", "0s"], 2, "--settle"),
    ],
)
def test_what_cannot_be_watched_is_refused(cli, write, changes, words, code, said):
    """A campaign without an inbox, a share that is not there, and times that are none end the command."""
    answer = cli("watch", write(**changes), "--once", *words)
    assert answer.code == code and said in answer.err


def test_two_campaigns_with_one_inbox_are_refused(cli, write):
    """`watch` says so before it takes anything in, and `validate` once the other one is in the store."""
    first = write(inbox="inbox")
    second = first.with_name("second.yaml")
    second.write_text(first.read_text().replace("name: lab", "name: second"))
    answer = cli("watch", first, second, "--once")
    assert answer.code == 1 and "must belong to one campaign" in answer.err
    answer = cli("validate", second)
    assert answer.code == 1 and "in second and in lab" in answer.err


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_ends_cleanly_when_it_is_told_to(lab, folder, number):
    """Ctrl-C and SIGTERM end it with code 0, and what came in before is in the store."""
    words = ["watch", str(lab), "--every", "0.05s", "--settle", "0.05s", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "discovery.cli.main", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    drop_rows(folder)
    line = process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "") and "Stopped." in err and "Traceback" not in err
    assert json.loads(line)["files"][0]["n_added"] == 2
    assert len(Store(folder / "discovery.duckdb").measurements("lab")) == 2


def test_sweep_tidies_up_and_says_what_goes_on(cli, write, folder):
    """Without a server it takes in, frees and names the command; a second sweep only repeats what is due."""
    lab = write(inbox="inbox")
    drop_rows(folder)
    cli("status", lab)
    store = Store(folder / "discovery.duckdb")
    store.take_lease("campaign:lab", f"{socket.gethostname()}:4194304", 3600)
    first = cli("sweep", lab, "--settle", "0.01s", "--json").json
    assert [deed["what"] for deed in first] == ["inbox", "lease", "due"]
    assert first[2]["text"] == f"Nothing is proposed: discovery run {lab}"
    assert [deed["what"] for deed in cli("sweep", lab, "--settle", "0.01s", "--json").json] == ["due"]
    assert "Nothing is proposed" in cli("sweep", lab, "--settle", "0.01s").out


def test_sweep_goes_on_where_one_file_is_wrong(cli, lab, folder):
    """A file that is missing is a problem with code 1; the other campaigns are looked after."""
    drop_rows(folder)
    answer = cli("sweep", "nosuch.yaml", lab, "--settle", "0.01s", "--json")
    assert answer.code == 1
    assert [deed["what"] for deed in answer.json] == ["problem", "inbox", "due"]


def test_sweep_leaves_a_campaign_that_runs_alone(cli, lab, folder):
    """Of a campaign that somebody runs nothing is due."""
    cli("status", lab)
    Store(folder / "discovery.duckdb").take_lease("campaign:lab", "elsewhere:1", 3600)
    assert "There was nothing to do." in cli("sweep", lab, "--settle", "0.01s").out
