"""Costs: improvement per cost at first, improvement alone at last."""

import pytest
import torch

from discovery.acquisition.costs import cost_exponent, take_off_cost


@pytest.mark.parametrize(
    ("spent", "budget", "expected"), [(0, 10, 1.0), (5, 10, 0.5), (10, 10, 0.0), (12, 10, 0.0), (5, None, 1.0)]
)
def test_the_exponent_cools(spent, budget, expected):
    """It falls in proportion to what is spent, and stays within 0 and 1."""
    assert cost_exponent(spent, budget) == expected


def test_an_experiment_of_twice_the_cost_must_gain_twice_as_much():
    """At exponent 1 it is the gain per cost, at 0 the gain."""
    X = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    gains = torch.log(torch.tensor([3.0, 6.0], dtype=torch.float64))

    def log_cost(rows):
        return rows[:, 0].log()

    per_cost = take_off_cost(gains, X, log_cost, 1.0)
    assert float(per_cost[0]) == pytest.approx(float(per_cost[1]))
    torch.testing.assert_close(take_off_cost(gains, X, log_cost, 0.0), gains)
