"""Promises of `discovery.space.sampling` and `constraints`: every point drawn or brought in meets every constraint."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import NoCandidateError
from discovery.seeds import rng
from discovery.space import SearchSpace

METALS = ["Fe", "Co", "Ni", "Cu"]
FRACTIONS = [{"name": name, "type": "continuous", "bounds": [0, 0.7]} for name in METALS]
OTHERS = [
    {"name": "temperature", "type": "continuous", "bounds": [30, 110]},
    {"name": "loading", "type": "continuous", "bounds": [0.1, 10], "scale": "log"},
    {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C"]},
    {"name": "eq", "type": "discrete", "values": [1, 2, 4]},
]
SIMPLEX = {"type": "simplex", "parameters": METALS}
EXCLUDE = {"type": "exclude", "when": {"catalyst": "A", "eq": 2}}


def build(parameters, constraints=(), **changes):
    data = {"name": "c", "parameters": parameters, "constraints": list(constraints), "objectives": [{"name": "y"}]}
    return SearchSpace.from_spec(CampaignSpec.from_mapping({**data, **changes}))


SPACES = {
    "free": build(OTHERS),
    "simplex": build(FRACTIONS, [SIMPLEX]),
    "half_space": build(OTHERS, ["temperature >= 100"]),
    "thin": build(FRACTIONS, ["Fe - Co <= 0.001", "Co - Fe <= 0.001"]),
    "mixed": build([*FRACTIONS, *OTHERS], [SIMPLEX, "Fe >= 0.2", "100*Co + temperature <= 60", EXCLUDE]),
    "two_simplexes": build(FRACTIONS, [{**SIMPLEX, "parameters": METALS[:2]}, {**SIMPLEX, "parameters": METALS[2:]}]),
    "one_point": build(FRACTIONS[:2], [{**SIMPLEX, "parameters": METALS[:2], "total": 1.4}]),
    "cardinality": build(
        [{**p, "type": "discrete", "values": [0, 0.25, 0.5, 0.75, 1]} for p in [{"name": n} for n in METALS]],
        [SIMPLEX, {"type": "cardinality", "parameters": METALS, "max": 2}],
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_draws_are_valid_and_meet_all_constraints(name):
    """Every draw lies in the cube, decodes to a valid configuration and meets all constraints."""
    space = SPACES[name]
    X = space.sample(200, rng(0, name))
    assert X.shape == (200, space.n_dims) and (X >= 0).all() and (X <= 1).all()
    frame = space.decode(X)
    assert space.check(frame) == [] and space.is_feasible(frame).all()
    assert np.allclose(space.encode(frame), X, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["simplex", "mixed"])
def test_fractions_add_up_exactly(name):
    """Drawn and decoded fractions add up to their total within 1e-9."""
    space = SPACES[name]
    frame = space.decode(space.sample(300, rng(1, name)))
    assert np.abs(frame[METALS].sum(axis=1) - 1).max() < 1e-9


@pytest.mark.parametrize("name", SPACES)
def test_the_same_seed_draws_the_same(name):
    """Draws depend on the generator alone."""
    first, again, other = (SPACES[name].sample(5, rng(seed, "same")) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert name == "one_point" or not np.array_equal(first, other)


def test_no_draws_are_an_empty_set_of_points():
    """Asking for none gives none."""
    assert all(space.sample(0, rng(0)).shape == (0, space.n_dims) for space in SPACES.values())


def test_draws_on_a_simplex_are_uniform():
    """The mean of draws is the center of a symmetric simplex, and a corner is reached as often as its volume says."""
    space = build([{**p, "bounds": [0, 1]} for p in FRACTIONS], [SIMPLEX])
    X = space.sample(4000, rng(2, "uniform"))
    assert np.abs(X.mean(axis=0) - 0.25).max() < 0.015
    assert abs((X[:, 0] > 0.5).mean() - 0.5**3) < 0.02


def test_lists_are_drawn_evenly():
    """Categories and numbers of a list come up equally often."""
    frame = SPACES["free"].decode(SPACES["free"].sample(3000, rng(3, "even")))
    assert np.abs(frame["catalyst"].value_counts(normalize=True) - 1 / 3).max() < 0.04
    assert np.abs(frame["eq"].value_counts(normalize=True) - 1 / 3).max() < 0.04


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(["simplex", "half_space", "thin", "two_simplexes"]))
@settings(max_examples=40, deadline=None)
def test_any_point_decodes_to_a_configuration_that_meets_linear_constraints(seed, name):
    """Points that break linear constraints are brought in; points that do not stay where they are."""
    space = SPACES[name]
    X = rng(seed, "any").random((20, space.n_dims))
    X[:5] = X[:5].round()  # corners of the cube
    frame = space.decode(X)
    assert space.check(frame) == [] and space.is_feasible(frame).all()
    again = space.decode(space.encode(frame))
    assert np.allclose(space.encode(again), space.encode(frame), rtol=0, atol=1e-9)


def test_points_that_fit_are_not_moved():
    """Decoding a point inside the constraints returns that point."""
    space = SPACES["half_space"]
    X = space.sample(100, rng(5, "inside"))
    assert np.allclose(space.encode(space.decode(X)), X, rtol=0, atol=1e-11)


def test_a_pool_does_not_move_points():
    """With candidates, constraints filter rows and decoding leaves points alone."""
    space = build(OTHERS, ["temperature >= 100"], candidates="c.csv")
    X = np.array([[0.0, 0.5, 1, 0, 0, 0.0]])
    assert space.decode(X).loc[0, "temperature"] == 30.0


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("temperature + 10*loading <= 60", [True, False, False]),
        ("eq == 2", [False, True, False]),
        (EXCLUDE, [True, False, True]),
        ({"type": "exclude", "when": {"temperature": 110.0}}, [True, True, False]),
        ({"type": "simplex", "parameters": ["temperature", "eq"], "total": 31}, [True, False, False]),
        ({"type": "exclude", "when": {"temperature": [60, 110]}}, [True, False, False]),
        ({"type": "exclude", "when": {"catalyst": ["B", "C"], "eq": [1, 2]}}, [True, True, True]),
        ({"type": "exclude", "when": {"catalyst": ["A", "C"], "eq": [1, 2]}}, [False, False, True]),
        ("temperature * loading <= 500", [True, False, True]),
        ("log(loading - 1) >= 0", [False, True, False]),
        ("abs(temperature - 70) / eq <= 1", [False, True, False]),
    ],
)
def test_constraints_are_checked_on_rows(constraint, expected):
    """Each kind of constraint holds for the rows that it should."""
    space = build(OTHERS, [constraint], candidates="c.csv")
    frame = space.decode(np.array([[0, 0, 1, 0, 0, 0], [0.5, 1, 1, 0, 0, 1 / 3], [1, 0.5, 0, 1, 0, 1]]))
    assert space.is_feasible(frame).tolist() == expected


def test_constraints_that_leave_next_to_nothing_stop_the_drawing():
    """Drawing gives up with advice where chance cannot find a configuration."""
    space = build(OTHERS, ["loading == 3.14159"], candidates="c.csv")
    with pytest.raises(NoCandidateError, match="List the candidates"):
        space.sample(20, rng(0))
