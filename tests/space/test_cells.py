"""Promises of `discovery.space.cells`: numbers and categories are found as a person means them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.space.cells import CategoryReader, CellFault, read_numbers, snap


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_written_as_text_are_read_exactly(values):
    """The text of a float is read back as the same float, to the last bit."""
    read, faults = read_numbers(pd.Series([repr(value) for value in values], name="x"))
    assert read.tolist() == values and faults == []


@pytest.mark.parametrize("dtype", ["int64", "float32", "Int64", "object", "str"])
def test_numbers_are_read_from_any_type_of_column(dtype):
    """Integers, floats, nullable integers, objects and text give the same numbers."""
    read, faults = read_numbers(pd.Series([1, 2, 40]).astype(dtype).rename("x"))
    assert read.tolist() == [1.0, 2.0, 40.0] and faults == []


def test_truth_values_are_no_numbers():
    """A column of True and False is refused cell by cell."""
    _, faults = read_numbers(pd.Series([True, False], name="x"))
    assert faults == [CellFault(0, "x", "True", "must be a number"), CellFault(1, "x", "False", "must be a number")]


@given(
    allowed=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8, unique_by=lambda v: round(v, 3)),
    noise=st.floats(-4e-10, 4e-10),
)
def test_snap_finds_every_listed_value_and_no_other(allowed, noise):
    """Values within 1e-9 (relative) are found at their position; values further away and NaN are not."""
    ordered = np.sort(np.array(allowed))
    assert snap(ordered * (1 + noise), ordered).tolist() == list(range(len(ordered)))
    strangers = np.append(ordered[-1] + 1.0 + abs(ordered[-1]), [ordered[0] - 1.0 - abs(ordered[0]), np.nan])
    assert snap(strangers, ordered).tolist() == [-1, -1, -1]


def test_categories_are_found_by_text_then_as_numbers():
    """Exact text wins; a number finds the only category that is the same number."""
    reader = CategoryReader(["1", "2.0", "x", "True"])
    cells = pd.Series(["1", 1, 1.0, "2", 2, " x", "TRUE", "y", None, np.nan], name="c", dtype=object)
    codes, faults = reader.read(cells)
    assert codes.tolist() == [0, 0, 0, 1, 1, 2, 3, -1, -1, -1]
    assert [fault.reason for fault in faults] == ["must be given"] * 2 + ["must be one of 1, 2.0, x, True"]
