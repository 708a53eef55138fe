"""Replicates of one configuration become one row: values averaged, bounds kept apart and tightened."""

import numpy as np
import pytest

from discovery.tasks.replicates import average_replicates


def test_values_and_bounds_of_a_configuration_are_two_rows():
    """Measured replicates are averaged; of bounds on one side the tightest stays; a value and a bound stay apart."""
    found = average_replicates(
        ["a", "a", "a", "a", "b", "b", "c"],
        np.array([4.0, 6.0, 9.0, 8.0, 1.0, 2.0, 3.0]),
        np.array([0, 0, -1, -1, 1, 1, 0]),
        np.array([1.0, 2.0, np.nan, np.nan, np.nan, np.nan, 3.0]),
    )
    assert found.first.tolist() == [0, 2, 4, 6]
    assert found.y.tolist() == [5.0, 8.0, 2.0, 3.0]
    assert found.sides.tolist() == [0, -1, 1, 0]
    assert found.variance.tolist() == pytest.approx([5 / 4, 0.0, 0.0, 9.0])


def test_without_bounds_nothing_is_said_of_sides():
    """Where all were measured there are no sides, and an unknown standard error leaves all variances unknown."""
    found = average_replicates(["a", "b"], np.array([1.0, 2.0]), np.array([0, 0]), np.array([1.0, np.nan]))
    assert found.sides is None and found.variance is None
