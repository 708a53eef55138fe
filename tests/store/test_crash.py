"""Killed processes and processes at once: no half batch, no lost batch, no duplicate."""

import json
import signal
import subprocess
import sys
import time

import pytest

from discovery.store import Store

INGEST = """
import json, sys, time
from pathlib import Path
from discovery.campaign import CampaignSpec
from discovery.ingest import check_rows, read_rows
from discovery.space import SearchSpace
from discovery.store import Store

mode, folder = sys.argv[1], Path(sys.argv[2])
spec = CampaignSpec.from_mapping(json.loads((folder / "lab.json").read_text()), folder)
space, store = SearchSpace.from_spec(spec), Store(folder / "lab.duckdb", wait_s=60)
batches = [check_rows(read_rows(path), spec, space) for path in sorted(folder.glob("batch-*.csv"))]
if mode == "inside":
    with store.transaction():
        print("ready", store.add_measurements("lab", batches[0]).n_added, flush=True)
        time.sleep(60)
print("ready", flush=True)
for batch in batches:
    print("done", store.add_measurements("lab", batch).n_added, flush=True)
"""
N_ROWS, N_FILES = 40, 6


@pytest.fixture
def folder(tmp_path, spec, store):
    """Six files of forty rows, and the campaign as a file."""
    (tmp_path / "lab.json").write_text(json.dumps(spec.model_dump(mode="json", exclude_none=True)))
    for number in range(N_FILES):
        rows = [f"{number + row / 100},A,{row}" for row in range(N_ROWS)]
        (tmp_path / f"batch-{number:02d}.csv").write_text("\n".join(["temperature,ligand,yield", *rows]))
    return tmp_path


def _start(mode, folder):
    command = [sys.executable, "-c", INGEST, mode, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_process_killed_inside_an_ingestion_leaves_nothing_of_it(folder, store):
    """What was inserted and not committed is gone, and the file opens as before."""
    with _start("inside", folder) as process:
        assert process.stdout.readline() == f"ready {N_ROWS}\n"
        process.send_signal(signal.SIGKILL)
    assert store.measurements("lab").empty
    assert store.campaign("lab").version == 1


def test_a_process_killed_at_any_moment_leaves_whole_batches(folder, store):
    """Every batch that was acknowledged is there whole, and the rest lands when the command is run again."""
    with _start("all", folder) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.12)
        process.send_signal(signal.SIGKILL)
        n_acknowledged = len(process.stdout.read().splitlines())
    per_file = store.measurements("lab").groupby("source").size()
    assert len(per_file) >= n_acknowledged
    assert set(per_file) <= {N_ROWS}
    with _start("all", folder) as process:
        added = [int(line.split()[1]) for line in process.stdout.read().splitlines()[1:]]
    assert sum(added) == (N_FILES - len(per_file)) * N_ROWS
    assert store.measurements("lab").groupby("source").size().tolist() == [N_ROWS] * N_FILES


def test_processes_that_ingest_the_same_files_at_once_add_each_row_once(folder):
    """Four at a time: every row once, positions without a gap, nobody fails."""
    processes = [_start("all", folder) for _ in range(4)]
    added = 0
    for process in processes:
        with process:
            lines = process.stdout.read().splitlines()
        assert (process.returncode, len(lines)) == (0, N_FILES + 1)
        added += sum(int(line.split()[1]) for line in lines[1:])
    table = Store(folder / "lab.duckdb").measurements("lab")
    assert (added, len(table), table["key"].nunique()) == (N_FILES * N_ROWS, N_FILES * N_ROWS, N_FILES * N_ROWS)
    assert table["position"].tolist() == list(range(1, N_FILES * N_ROWS + 1))
