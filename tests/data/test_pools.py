"""Promises of streamed pools at size: memory does not grow with the file, and a plate takes seconds."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_plate_from_a_million_rows_stays_within_two_gigabytes(tmp_path):
    """Reading, training and choosing together peak below 2 GB, and all ninety-six proposals are different."""
    command = [sys.executable, "-m", "data.pools", "--rows", "1000000", "--batch", "96", "--json"]
    done = subprocess.run([*command, "--folder", str(tmp_path / "pools")], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)[0]
    assert found["peak_gb"] < 2 and found["n_distinct"] == 96 and found["rows"] == 1_000_000


@pytest.mark.slow
@pytest.mark.alone
def test_a_plate_out_of_a_hundred_thousand_takes_less_than_half_a_minute(tmp_path):
    """Adapting, choosing and storing ninety-six proposals."""
    command = [sys.executable, "-m", "data.pools", "--rows", "100000", "--batch", "96", "--json"]
    done = subprocess.run([*command, "--folder", str(tmp_path / "pools")], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)[0]["ask_s"] < 30
