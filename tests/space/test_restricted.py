"""What is left today has the encoding of the whole, and holds nothing that is out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import NoCandidateError
from discovery.space import CandidatePool, SearchSpace
from discovery.space.restricted import allowed_rows, is_gone, restrict_pool, restrict_space

PARAMETERS = [
    {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C"]},
    {"name": "heat", "type": "continuous", "bounds": [20, 100]},
    {"name": "time", "type": "continuous", "bounds": [1, 100], "scale": "log"},
    {"name": "dose", "type": "discrete", "values": [1, 2, 3, 4]},
]
MIXTURE = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in "xyz"]
SUM = {"type": "simplex", "parameters": ["x", "y", "z"], "total": 1.0}


def space_of(parameters=PARAMETERS, **changes):
    data = {"name": "s", "parameters": parameters, "objectives": [{"name": "y_out"}]}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(data | changes))


def drawn(space, n=64):
    return space.decode(space.sample(n, np.random.default_rng(5)))


@settings(deadline=None, max_examples=15)
@given(
    heat=st.floats(20, 100),
    gone=st.sets(st.sampled_from(["A", "B", "C"]), max_size=2),
    low=st.floats(1, 90),
    doses=st.sets(st.sampled_from([1.0, 2.0, 3.0, 4.0]), max_size=3),
)
def test_what_is_drawn_is_left(heat, gone, low, doses):
    """Every draw has the value that is given, none that is out, and its encoding is that of the whole space."""
    whole = space_of()
    without = {"catalyst": sorted(gone), "time": [(low, 100.0)] if low > 1.5 else [], "dose": sorted(doses)}
    rest = restrict_space(whole, {"heat": heat}, {name: values for name, values in without.items() if values})
    X = rest.sample(16, np.random.default_rng(1))
    frame = rest.decode(X)
    np.testing.assert_allclose(whole.encode(frame), X, atol=1e-9)
    assert rest.n_dims == whole.n_dims and rest.slices == whole.slices
    assert np.allclose(frame["heat"], heat, rtol=1e-11)
    for codec in whole.codecs:
        assert not is_gone(frame[codec.name], without.get(codec.name, ()), codec).any()


def test_nothing_said_changes_nothing():
    """Without anything given or out the very same space and pool come back."""
    space = space_of()
    frame = drawn(space, 6)
    pool = CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), np.arange(6))
    assert restrict_space(space, {}, {}) is space
    assert restrict_pool(pool, np.ones(6, dtype=bool)) is pool


@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_a_simplex_keeps_its_sum(x):
    """With one fraction given, the others add up to the rest, exactly."""
    space = space_of(MIXTURE, constraints=[SUM])
    frame = drawn(restrict_space(space, {"x": x}, {}))
    assert (frame["x"] == x).all()
    assert np.allclose(frame.sum(axis=1), 1.0, atol=1e-9)
    assert space.is_feasible(frame).all()


def test_ingredients_are_counted_with_those_given():
    """Where as many are given as may differ from zero, the others are zero."""
    space = space_of(MIXTURE, constraints=[{"type": "cardinality", "parameters": ["x", "y", "z"], "max": 2}])
    frame = drawn(restrict_space(space, {"x": 0.5, "y": 0.25}, {}), 8)
    assert (frame["z"] == 0).all()
    both = drawn(restrict_space(space, {"x": 0.5}, {}))
    assert ((both[["y", "z"]] != 0).sum(axis=1) <= 1).all()


@pytest.mark.parametrize(
    ("fixed", "without", "constraints", "said"),
    [
        ({"heat": 90.0}, {}, ["heat + 10*dose <= 105"], None),
        ({"heat": 90.0, "dose": 2.0}, {}, ["heat + 10*dose <= 105"], "heat = 90, dose = 2 breaks the constraint"),
        ({"heat": 90.0}, {}, ["heat <= 80"], "heat = 90 breaks the constraint"),
        ({}, {"heat": [(20.0, 60.0)]}, ["heat <= 50"], "cannot be met with that"),
        ({}, {"catalyst": ["A", "B", "C"]}, [], "Every value of catalyst is out today: A, B, C. Take less out"),
        ({}, {"heat": [(20.0, 100.0)]}, [], "Every value of heat is out today: 20 to 100. Take less out"),
    ],
)
def test_it_says_why_nothing_is_left(fixed, without, constraints, said):
    """What cannot be made at all is an error of its own kind with the reason in words."""
    space = space_of(constraints=constraints)
    if said is None:
        assert (drawn(restrict_space(space, fixed, without), 8)["dose"] == 1.0).all()
        return
    with pytest.raises(NoCandidateError, match=said):
        restrict_space(space, fixed, without)


def test_the_ends_of_a_range():
    """Of a list both ends go; of a continuous parameter the end that borders on what is left stays."""
    space = space_of()
    codecs = {codec.name: codec for codec in space.codecs}
    assert is_gone([1.0, 2.0, 3.0, 4.0], [(2.0, 3.0)], codecs["dose"]).tolist() == [False, True, True, False]
    heats = [20.0, 59.0, 60.0, 80.0, 100.0]
    assert is_gone(heats, [(60.0, 100.0)], codecs["heat"]).tolist() == [False, False, False, True, True]
    assert is_gone(heats, [(20.0, 60.0)], codecs["heat"]).tolist() == [True, True, False, False, False]
    assert is_gone(heats, [(59.0, 80.0)], codecs["heat"]).tolist() == [False, False, True, False, False]


def test_a_gap_within_the_bounds_is_left_out():
    """A range in the middle takes out the middle and nothing else."""
    frame = drawn(restrict_space(space_of(), {}, {"heat": [(40.0, 80.0)]}))
    assert ((frame["heat"] <= 40) | (frame["heat"] >= 80)).all()
    assert (frame["heat"] < 40).any() and (frame["heat"] > 80).any()


@pytest.fixture
def pool():
    space = space_of()
    frame = pd.DataFrame(
        {"catalyst": ["A", "B", "C", "A"], "heat": [20.0, 25.0, 25.0, 30.0], "time": 10.0, "dose": [1.0, 2.0, 3.0, 4.0]}
    ).set_axis([3, 5, 7, 9])
    return CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), np.array([3, 5, 7, 9])), space


def test_rows_of_a_pool(pool):
    """Rows keep their encoding, key and position in the file."""
    whole, space = pool
    rest = restrict_pool(whole, allowed_rows(whole, space, {"heat": 25.0}, {"catalyst": ("B",)}))
    assert rest.rows.tolist() == [7] and rest.keys == (whole.keys[2],)
    np.testing.assert_array_equal(rest.X, whole.X[[2]])
    assert rest.frame.index.tolist() == [7]


def test_a_pool_that_is_gone_says_what_took_it(pool):
    """The sentence counts what each rule left, and says which values there are."""
    whole, space = pool
    with pytest.raises(NoCandidateError, match="0 of 4 candidates have heat = 22") as caught:
        allowed_rows(whole, space, {"heat": 22.0}, {"catalyst": ("A",)})
    assert "2 have catalyst A, which is not to be had" in str(caught.value)
    assert "heat: 20, 25, 30" in str(caught.value)
