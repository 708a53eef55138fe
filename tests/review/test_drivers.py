"""Shapley values keep their axioms, on functions whose values are known in closed form."""

from collections.abc import Callable

import numpy as np
import pytest

from discovery.review import drivers
from discovery.review.drivers import N_EXACT, shapley

FEW, MANY = 4, N_EXACT + 3


def columns(p: int) -> list[slice]:
    """One coordinate per parameter."""
    return [slice(k, k + 1) for k in range(p)]


def case(p: int, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A point and a background of `p` parameters."""
    g = np.random.default_rng(p)
    return g.random(p), g.random((n, p))


def wavy(X: np.ndarray) -> np.ndarray:
    """A function with interactions of all parameters."""
    return np.sin(3 * X.sum(1)) + X[:, 0] * X[:, -1] + X.prod(1)


@pytest.mark.parametrize("p", [1, FEW, MANY])
def test_of_a_sum_they_are_its_terms(p: int) -> None:
    """Of an additive function each parameter's value is its own term minus that term's mean over the background."""
    x, background = case(p)
    weights = np.arange(1.0, p + 1)
    found = shapley(lambda X: np.square(X) @ weights, x, background, columns(p), np.random.default_rng(0))
    assert found.values == pytest.approx(weights * (x**2 - np.square(background).mean(0)), abs=1e-10)
    assert found.is_exact == (p <= N_EXACT)


@pytest.mark.parametrize("p", [FEW, MANY])
def test_they_sum_to_the_difference(p: int) -> None:
    """Efficiency: values sum to the prediction minus the background's mean, exactly, also where orders are drawn."""
    x, background = case(p)
    found = shapley(wavy, x, background, columns(p), np.random.default_rng(0))
    assert found.values.sum() == pytest.approx(float(found.end - found.start), abs=1e-10)
    assert float(found.end) == pytest.approx(wavy(x[None])[0])
    assert float(found.start) == pytest.approx(wavy(background).mean())


def test_twins_are_alike() -> None:
    """Symmetry: parameters that do the same, at the same values, get the same."""
    background = np.repeat(np.random.default_rng(1).random((9, 1)), 3, axis=1)
    found = shapley(lambda X: X.prod(1), np.full(3, 0.9), background, columns(3), np.random.default_rng(0))
    assert np.ptp(found.values) == pytest.approx(0.0, abs=1e-12)


def test_what_does_nothing_gets_nothing() -> None:
    """A parameter that the function does not read has the value zero."""
    x, background = case(MANY)
    found = shapley(lambda X: wavy(X[:, 1:]), x, background, columns(MANY), np.random.default_rng(0))
    assert found.values[0] == pytest.approx(0.0, abs=1e-12)


def test_a_product_of_two_is_shared() -> None:
    """Of `x1 * x2` against zeros, each gets half: the closed form of an interaction."""
    found = shapley(lambda X: X.prod(1), np.array([2.0, 3.0]), np.zeros((1, 2)), columns(2), np.random.default_rng(0))
    assert found.values == pytest.approx([3.0, 3.0])


def test_a_parameter_may_have_many_coordinates() -> None:
    """Coordinates of one parameter are set together: one-hot levels have one value, not three."""
    x, background = np.array([0.0, 1.0, 0.0, 0.5]), np.array([[1.0, 0.0, 0.0, 0.1], [0.0, 0.0, 1.0, 0.3]])
    weights = np.array([1.0, 5.0, 2.0, 10.0])
    found = shapley(lambda X: X @ weights, x, background, [slice(0, 3), slice(3, 4)], np.random.default_rng(0))
    assert found.values == pytest.approx([5.0 - 1.5, 10 * (0.5 - 0.2)])


@pytest.mark.parametrize("p", [FEW, MANY])
def test_several_values_are_explained_at_once(p: int) -> None:
    """A function with two values gives the values that each of them has alone, for the same draws."""
    x, background = case(p)
    both: Callable[[np.ndarray], np.ndarray] = lambda X: np.column_stack([wavy(X), X[:, 0]])  # noqa: E731
    found = shapley(both, x, background, columns(p), np.random.default_rng(3))
    alone = shapley(wavy, x, background, columns(p), np.random.default_rng(3))
    assert found.values.shape == (p, 2)
    assert found.values[:, 0] == pytest.approx(alone.values)


def test_drawn_orders_come_near_the_exact_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing orders estimates what looking at all coalitions gives, and the same seed gives the same."""
    x, background = case(6, n=8)
    exact = shapley(wavy, x, background, columns(6), np.random.default_rng(0))
    monkeypatch.setattr(drivers, "N_EXACT", 2)
    drawn = [shapley(wavy, x, background, columns(6), np.random.default_rng(0)) for _ in range(2)]
    assert not drawn[0].is_exact
    assert np.array_equal(drawn[0].values, drawn[1].values)
    assert drawn[0].values == pytest.approx(exact.values, abs=0.15)


def test_a_large_background_is_cut() -> None:
    """However large the background and however many the parameters, the rows that are predicted stay few."""
    seen = []
    for p in (FEW, N_EXACT, 20):
        x, background = case(p, n=3000)
        rows: list[int] = []
        shapley(lambda X, r=rows: r.append(len(X)) or X.sum(1), x, background, columns(p), np.random.default_rng(0))
        seen.append(sum(rows))
    assert max(seen) <= 1.1 * drivers.N_ROWS
