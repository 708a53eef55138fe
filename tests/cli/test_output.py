"""Results as JSON and on the screen: whatever the library gives back can be printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.cli.output import of_steps, plain, progress_bar, records
from discovery.lifecycle import TrialStatus


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ({"counts": np.array([3.0, np.nan])}, {"counts": [3.0, None]}),
        (float("nan"), None),
        (float("inf"), None),
        (pd.NaT, None),
        (pd.Timestamp("2026-01-02", tz="UTC"), "2026-01-02T00:00:00+00:00"),
        (TrialStatus.RUNNING, "RUNNING"),
        (Path("a/b"), "a/b"),
        ({"a": (1, np.float32(2.0))}, {"a": [1, 2.0]}),
        (None, None),
    ],
)
def test_values_become_json(value, wanted):
    """Numbers, times, statuses and paths become what JSON has; what is no number becomes null."""
    found = plain(value)
    assert found == wanted
    json.dumps(found, allow_nan=False)


def test_tables_become_objects():
    """Rows become objects, empty cells null, and columns of JSON text what they hold."""
    frame = pd.DataFrame({"n": [1.0, np.nan], "scores": ['{"a": 1}', None]})
    assert records(frame, json_columns=("scores",)) == [{"n": 1.0, "scores": {"a": 1}}, {"n": None, "scores": None}]


def test_progress_is_shown_only_where_asked_for(capsys):
    """Where stderr is no terminal nothing is shown, unless -v asks; stdout stays free for the result."""
    with progress_bar() as hidden:
        assert hidden is None and of_steps(hidden) is None
    with progress_bar(is_verbose=True) as shown:
        assert shown is not None
        of_steps(shown)("history", 1, 2)
    assert capsys.readouterr().out == ""
