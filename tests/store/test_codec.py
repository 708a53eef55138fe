"""Values survive the way into JSON columns and back, bit for bit."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.belief.records import HypothesisPrediction
from discovery.store.codec import (
    from_json_rows,
    predictions_from_json,
    predictions_to_json,
    rows_to_json,
    to_json,
    widen,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
COMPONENTS = st.lists(st.tuples(st.floats(max_value=0, allow_nan=False), FINITE, FINITE), min_size=1, max_size=4)


@st.composite
def predictions(draw):
    log_weights, means, sds = zip(*draw(COMPONENTS), strict=True)
    return HypothesisPrediction(
        draw(st.text()), draw(FINITE), log_weights, means, sds, draw(st.text()), draw(st.integers(0, 99))
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(predictions(), max_size=3))
def test_predictions_come_back_as_they_were(stored):
    """What was predicted is what is read years later, infinite log weights included."""
    assert predictions_from_json(predictions_to_json(stored)) == tuple(stored)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FINITE, st.text()), min_size=1, max_size=5))
def test_rows_come_back_as_they_were(rows):
    """Numbers keep every bit and texts every character."""
    frame = pd.DataFrame(rows, columns=["number", "text"])
    again = from_json_rows(rows_to_json(frame))
    assert again["number"].tolist() == frame["number"].tolist()
    assert again["text"].tolist() == frame["text"].tolist()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (float("nan"), None),
        (pd.NaT, None),
        (float("inf"), "Infinity"),
        ((1, [2.0]), [1, [2.0]]),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
    ],
)
def test_anything_a_table_holds_can_be_encoded(value, expected):
    """NumPy scalars, times and missing cells become plain JSON."""
    assert json.loads(to_json(value)) == expected


def test_widened_columns_have_the_names_asked_for():
    """Absent names come as empty columns, rows keep their index, a missing object is an empty row."""
    frame = pd.DataFrame({"cells": ['{"a": 1.5, "z": 0}', None]}, index=[7, 9])
    wide = widen(frame, "cells", ["a", "b"], suffix="_sem")
    assert wide.columns.tolist() == ["a_sem", "b_sem"]
    assert wide.index.tolist() == [7, 9]
    assert wide["a_sem"].tolist()[0] == 1.5
    assert wide["b_sem"].isna().all()


def test_skipped_cells_leave_no_name():
    """A standard error that is not known is not stored as one."""
    assert rows_to_json(pd.DataFrame({"a": [1.0, np.nan]}), skip_missing=True) == ['{"a": 1.0}', "{}"]
    assert rows_to_json(pd.DataFrame(index=[0, 1])) == ["{}", "{}"]
