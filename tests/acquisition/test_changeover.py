"""Changes cost what the campaign says, and batches come in the order that costs least."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.acquisition import changeover as room
from discovery.acquisition.changeover import Changeover

COSTS = Changeover((5.0, 2.0), (slice(0, 1), slice(1, 3)))
batches = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])),
    min_size=1,
    max_size=6,
).map(np.array)


def cheapest(X, last):
    front = X[:0] if last is None else last[None]
    return min(COSTS.total(np.vstack([front, X[list(order)]])) for order in permutations(range(len(X))))


def test_what_a_change_costs():
    """A parameter that differs in any coordinate costs once, however far it goes; what is not named costs nothing."""
    A = np.array([[0.0, 1.0, 0.0, 0.3]])
    B = np.array([[0.0, 1.0, 0.0, 0.9], [0.1, 1.0, 0.0, 0.3], [0.9, 0.0, 1.0, 0.3]])
    assert COSTS.between(A, B).tolist() == [[0.0, 5.0, 7.0]]


@settings(deadline=None, max_examples=60)
@given(X=batches, last=st.booleans())
def test_the_order_is_the_cheapest_of_all(X, last):
    """No other order of the batch costs less, with an experiment before it or without."""
    before = np.array([1.0, 0.0, 1.0]) if last else None
    order = COSTS.order(X, before)
    front = X[:0] if before is None else before[None]
    assert sorted(order) == list(range(len(X)))
    assert COSTS.total(np.vstack([front, X[order]])) == pytest.approx(cheapest(X, before))


@settings(deadline=None, max_examples=60)
@given(X=batches)
def test_what_one_more_adds(X):
    """The least that an experiment adds to a sequence is the difference of the cheapest place for it."""
    x, sequence = X[:1], np.vstack([[0.5, 0.0, 0.0], X[1:]])
    places = [np.insert(sequence, i, x[0], axis=0) for i in range(1, len(sequence) + 1)]
    least = min(COSTS.total(place) for place in places) - COSTS.total(sequence)
    assert COSTS.extra(x, sequence).tolist() == pytest.approx([least])


def test_an_order_that_is_as_cheap_as_any_stays():
    """Nothing is moved without a gain, and nothing is added where nothing came before."""
    X = np.array([[0.0, 0, 0], [0.0, 0, 0], [1.0, 0, 0]])
    assert COSTS.order(X) == [0, 1, 2]
    assert COSTS.extra(X, X[:0]).tolist() == [0.0, 0.0, 0.0]
    assert COSTS.order(X[[0, 2, 1]]) == [0, 2, 1]


def test_many_settings_are_ordered_by_insertion(monkeypatch):
    """Beyond the exact limit the order is still no dearer than the order as it came."""
    monkeypatch.setattr(room, "MAX_EXACT", 2)
    g = np.random.default_rng(0)
    X = g.integers(0, 4, size=(40, 3)) / 3.0
    order = COSTS.order(X, X[7])
    assert sorted(order) == list(range(40))
    assert COSTS.total(np.vstack([X[7:8], X[order]])) < 0.7 * COSTS.total(np.vstack([X[7:8], X]))
