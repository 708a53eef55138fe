"""`export`, `backup`, `restore` and `doctor`: the store as a file."""

from __future__ import annotations

import socket
import time

import pandas as pd
import pytest

from discovery.cli import doctor
from discovery.ingest import arrivals
from discovery.store import Store


@pytest.fixture
def stored(cli, file):
    """A campaign with 12 measurements and one checkpoint."""
    cli("meta-train", file)
    cli("ingest", file, "table.csv")
    return file


def test_export_writes_every_table(cli, stored, folder):
    """Each table is one Parquet file that other tools can read."""
    files = cli("export", stored, "--out", "tables", "--json").json["files"]
    assert len(files) >= 9
    assert len(pd.read_parquet(folder / "tables" / "measurements.parquet")) == 12


def test_a_backup_can_be_restored(cli, stored, folder):
    """What was measured is in the restored store; neither command overwrites a file."""
    assert cli("backup", stored, "copy.duckdb").code == 0
    assert cli("backup", stored, "copy.duckdb").code == 1
    assert cli("restore", "copy.duckdb", "new.duckdb", "--json").json["n_campaigns"] == 1
    assert len(Store(folder / "new.duckdb").measurements("lab")) == 12
    assert cli("restore", "copy.duckdb", "new.duckdb").code == 1


def test_doctor_finds_nothing_wrong(cli, stored):
    """A sound installation and store pass every check."""
    answer = cli("doctor", stored, "--json")
    assert answer.code == 0
    assert {"torch", "prefect", "store", "checkpoints"} <= {finding["check"] for finding in answer.json}
    assert "ok" in cli("doctor", stored).out


def test_doctor_looks_at_packages_of_extras_where_they_are_installed(monkeypatch):
    """One that is missing is no fault; one outside its bounds is; tools of development are nobody else's business."""
    required = [
        "numpy>=1",
        "nowhere-to-be-found>=1",
        "absent>=1; extra == 'molecules'",
        "scipy<0.1; extra == 'bench'",
        "pytest<0.1; extra == 'dev'",
    ]
    monkeypatch.setattr(doctor, "requires", lambda package: required)
    found = {finding.check: finding.is_fine for finding in doctor.check_versions()}
    assert found == {"numpy": True, "nowhere-to-be-found": False, "scipy": False}


def test_doctor_finds_a_checkpoint_that_is_gone(cli, stored, folder):
    """A registered checkpoint without its file is named, and the code is 1."""
    path = next((folder / "models").glob("*.json"))
    path.unlink()
    answer = cli("doctor", stored)
    assert answer.code == 1
    assert f"WRONG  checkpoints: {path.stem}" in answer.out


def test_doctor_finds_a_trial_that_was_left_alone(cli, write, folder):
    """A trial whose process is gone is pointed out."""
    file = write(review={"mode": "auto"})
    proposal = cli("propose", file, "--json").json[0]["proposal_id"]
    Store(folder / "discovery.duckdb").start_trial(proposal, "table", "elsewhere:1", lease_s=-1.0)
    answer = cli("doctor", file)
    assert answer.code == 1 and "WRONG  trials: 1 of lab" in answer.out


def test_doctor_finds_what_was_left_behind_and_repairs_what_is_safe(cli, write, folder, monkeypatch):
    """A dead owner's lease, a file in the inbox and a stale proposal are found; --repair settles them and says so."""
    monkeypatch.setattr(arrivals, "SETTLE_S", 0.01)
    file = write(inbox="inbox", review={"mode": "required", "timeout": "1s"})
    cli("propose", file)
    store = Store(folder / "discovery.duckdb")
    store.take_lease("campaign:lab", f"{socket.gethostname()}:4194304", 3600)
    (folder / "inbox").mkdir()
    (folder / "inbox" / "a.csv").write_text("catalyst,temperature,yield\nXPhos,40,24\n")
    time.sleep(1.1)
    found = {finding["check"]: finding for finding in cli("doctor", file, "--json").json if not finding["is_fine"]}
    assert set(found) == {"lease", "proposals", "inbox"}
    assert found["lease"]["command"] == f"discovery doctor {file} --repair"
    assert found["inbox"]["command"] == f"discovery watch {file} --once"
    answer = cli("doctor", file, "--repair", "--json")
    assert answer.code == 0
    assert {finding["check"] for finding in answer.json if finding["is_repaired"]} == {"lease", "stale", "inbox"}
    assert len(store.measurements("lab")) == 1 and set(store.proposals("lab")["status"]) == {"STALE"}
    assert "FIXED" not in cli("doctor", file, "--repair").out


def test_doctor_says_who_is_at_work(cli, stored, folder):
    """A lease that somebody holds is no fault."""
    Store(folder / "discovery.duckdb").take_lease("campaign:lab", "elsewhere:1", 3600)
    answer = cli("doctor", stored)
    assert answer.code == 0 and "elsewhere:1 holds the campaign lab since" in answer.out


def test_doctor_names_checkpoint_files_that_no_version_uses(cli, stored, folder):
    """A file that a killed training left is named; it is no fault."""
    (folder / "models" / "history-left.json").write_text("{}")
    answer = cli("doctor", stored)
    assert answer.code == 0 and "history-left.json. They may be deleted." in answer.out


def test_doctor_finds_a_store_that_is_missing(cli, folder):
    """A store that was asked for and is not there is wrong; where none was asked for it is not."""
    assert cli("doctor", "--store", "nosuch.duckdb").code == 1
    assert cli("doctor").code == 0


def test_doctor_names_the_campaign_file_where_that_is_missing(cli, folder):
    """A campaign file that is not there, or is wrong, is no fault of the store's."""
    answer = cli("doctor", "nosuch.yaml")
    assert answer.code == 1 and "WRONG  campaign file: " in answer.out and "nosuch.yaml" in answer.out
    assert "store:" not in answer.out
