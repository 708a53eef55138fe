"""Promises of every space: whatever kinds of parameters and constraints meet, what is drawn is valid and repeatable."""

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.seeds import rng
from discovery.space import SearchSpace
from discovery.space.neighbors import around, exchanges, toward

AMOUNTS = {
    "continuous": {"type": "continuous", "bounds": [0, 0.8]},
    "signed": {"type": "continuous", "bounds": [-0.4, 0.8]},
    "log": {"type": "continuous", "bounds": [0.001, 0.9], "scale": "log"},
    "stepped": {"type": "continuous", "bounds": [0, 0.8], "step": 0.05},
    "discrete": {"type": "discrete", "values": [0, 0.1, 0.3, 0.4, 0.7]},
    "boolean": {"type": "boolean"},
}
OTHERS = [
    {"name": "heat", "type": "continuous", "bounds": [20, 120]},
    {"name": "ligand", "type": "categorical", "values": ["L1", "L2", "L3"]},
    {"name": "dry", "type": "boolean"},
]
NAMES = ["a", "b", "c"]
CONSTRAINTS = {
    "sum": "a + b + c <= 1.1",
    "plane": "a + 0.5 * b + heat / 100 == 1.2",
    "count": {"type": "cardinality", "parameters": NAMES, "max": 2},
    "amounts": {"type": "cardinality", "parameters": ["a", "b"], "max": 1, "least": 0.1},
    "simplex": {"type": "simplex", "parameters": NAMES, "total": 1.0},
    "interval": {"type": "exclude", "when": {"heat": [40, 90], "ligand": ["L1", "L2"]}},
    "amount": {"type": "exclude", "when": {"a": [0.3, 0.6], "dry": True}},
    "formula": "(a + 0.1) * heat <= 45",
    "root": "sqrt(a) + log(1 + abs(b)) >= 0.2 * min(heat / 100, 1)",
    "curve": "exp(a) * (b + 1) <= 3",
}


def build(kinds, constraints, **changes):
    parameters = [{**AMOUNTS[kind], "name": name} for kind, name in zip(kinds, NAMES, strict=True)]
    data = {"name": "every", "parameters": [*parameters, *OTHERS], "objectives": [{"name": "y"}], **changes}
    wanted = [CONSTRAINTS[name] for name in constraints]
    return SearchSpace.from_spec(CampaignSpec.from_mapping({**data, "constraints": wanted}))


def fits(kinds, constraints):
    """Say whether a combination makes sense: a count of what is never 0 is refused, and sums need no negative parts."""
    counted = {"count": NAMES, "amounts": NAMES[:2]}
    places = dict(zip(NAMES, kinds, strict=True))
    for name in constraints:
        n_always = sum(places[part] == "log" for part in counted.get(name, ()))
        if n_always > (1 if name == "amounts" else 2):
            return False
        if "signed" in kinds and name in ("simplex", "amounts", "root"):
            return False
    is_number = kinds[0] != "boolean" or "amount" not in constraints  # an interval of numbers
    return is_number and (kinds.count("boolean") < 2 or "simplex" not in constraints)


SINGLES = [(kind,) * 3 for kind in AMOUNTS]
MIXES = [("continuous", "log", "discrete"), ("continuous", "discrete", "boolean"), ("continuous", "continuous", "log")]
PAIRS = [("simplex", "count"), ("simplex", "formula"), ("amounts", "root"), ("plane", "interval"), ("sum", "count")]
CASES = [
    (kinds, constraints)
    for kinds, constraints in itertools.product([*SINGLES, *MIXES], [*((name,) for name in CONSTRAINTS), *PAIRS])
    if fits(kinds, constraints)
]
CASES += [(("stepped", "log", "continuous"), (name,)) for name in ("plane", "simplex", "curve")]
SPACES = {f"{'-'.join(kinds)}: {' and '.join(names)}": (kinds, names) for kinds, names in CASES}


@functools.cache
def drawn(case):
    space = build(*SPACES[case])
    return space, space.sample(24, rng(7, case))


@pytest.mark.parametrize("case", SPACES)
def test_draws_meet_every_constraint_exactly(case):
    """Draws decode to configurations that meet all constraints to 1e-9, come back the same, and repeat by seed."""
    space, X = drawn(case)
    frame = space.decode(X)
    assert X.shape == (24, space.n_dims) and space.check(frame) == []
    assert space.is_valid(frame).all() and space.is_feasible(frame).all()
    assert np.allclose(space.encode(frame), X, rtol=0, atol=1e-10)
    assert np.array_equal(X, space.sample(24, rng(7, case)))
    assert len(set(space.keys(frame))) > 4


@given(seed=st.integers(0, 2**32 - 1), case=st.sampled_from(sorted(SPACES)))
@settings(max_examples=20, deadline=None)
def test_any_seed_draws_valid_configurations(seed, case):
    """Whatever the seed, draws meet all constraints exactly."""
    space, _ = drawn(case)
    assert space.is_valid(space.decode(space.sample(8, rng(seed, "any")))).all()


@pytest.mark.parametrize("case", SPACES)
def test_raw_values_meet_the_constraints_by_hand(case):
    """What the constraints say, written out here a second time, holds for the table that people read."""
    names, (space, X) = SPACES[case][1], drawn(case)
    frame = space.decode(X)
    a, b, c, heat = (frame[name].to_numpy(dtype=float) for name in (*NAMES, "heat"))
    by_hand = {
        "sum": a + b + c <= 1.1 + 1e-9,
        "plane": np.abs(a + 0.5 * b + heat / 100 - 1.2) < 1e-8,
        "count": (np.array([a, b, c]) != 0).sum(axis=0) <= 2,
        "amounts": ((a == 0) | (b == 0)) & ((a == 0) | (a > 0.1 - 1e-9)) & ((b == 0) | (b > 0.1 - 1e-9)),
        "simplex": np.abs(a + b + c - 1) < 1e-9,
        "interval": (heat < 40) | (heat > 90) | (frame["ligand"] == "L3"),
        "amount": (a < 0.3) | (a > 0.6) | ~frame["dry"].astype(bool),
        "formula": (a + 0.1) * heat <= 45 + 1e-6,
        "root": np.sqrt(a.clip(0)) + np.log(1 + np.abs(b)) >= 0.2 * np.minimum(heat / 100, 1) - 1e-9,
        "curve": np.exp(a) * (b + 1) <= 3 + 1e-8,
    }
    assert [name for name in names if not by_hand[name].all()] == []


@pytest.mark.parametrize("case", SPACES)
def test_drawn_numbers_can_be_set(case):
    """Numbers with a step are multiples of it, the others have few digits; equations give some a few more."""
    kinds, (space, X) = SPACES[case][0], drawn(case)
    frame = space.decode(X)
    for kind, name in zip(kinds, NAMES, strict=True):
        if kind == "stepped":
            assert np.abs(frame[name] / 0.05 - (frame[name] / 0.05).round()).max() < 1e-9
    numbers = [name for kind, name in zip(kinds, NAMES, strict=True) if kind in ("continuous", "signed", "log")]
    most = 9 if "log" in kinds and "plane" in SPACES[case][1] else 6
    assert (frame[[*numbers, "heat"]].map(lambda v: float(f"{v:.{most}g}") == v)).all(axis=None)


@pytest.mark.parametrize("case", [case for case in SPACES if "continuous" in case])
def test_neighbors_are_valid(case):
    """Exchanges, steps around and steps toward another configuration keep every constraint."""
    space, X = drawn(case)
    for i in range(0, 12, 2):
        near = (exchanges(space, X[i]), around(space, X[i], 8, rng(i, "around")), toward(space, X[i], X[i + 1]))
        points = np.vstack(near)
        assert space.is_valid(space.decode(points)).all()
        assert np.allclose(space.encode(space.decode(points)), points, rtol=0, atol=1e-10)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_candidates_are_filtered_by_every_constraint(constraint):
    """In a pool, rows that break a constraint are out, by the same rule that holds where nothing is listed."""
    kinds = ("continuous", "discrete", "boolean")
    pooled = build(kinds, [constraint], candidates="c.csv")
    valid = build(kinds, [constraint]).sample(20, rng(1, constraint))
    frame = pooled.decode(valid)
    assert pooled.is_feasible(frame).all()
    broken = {
        "sum": {"a": 0.8, "b": 0.7, "c": True},
        "plane": {"a": 0.0, "heat": 20},
        "count": {"a": 0.1, "b": 0.1, "c": True},
        "amounts": {"a": 0.05, "b": 0.0},
        "simplex": {"a": 0.05, "b": 0.7, "c": False},
        "interval": {"heat": 40, "ligand": "L2"},
        "amount": {"a": 0.3, "dry": "yes"},
        "formula": {"a": 0.8, "heat": 51},
        "root": {"a": 0.0, "b": 0.0, "heat": 90},
        "curve": {"a": 0.8, "b": 0.4},
    }[constraint]
    assert not pooled.is_feasible(pd.DataFrame(frame.astype(object).assign(**broken))).any()
