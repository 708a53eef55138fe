"""Promises of `discovery.space.rounding`: proposals are numbers that a person can set, and meet every constraint."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.seeds import rng
from discovery.space import SearchSpace

HEAT = {"name": "heat", "type": "continuous", "bounds": [20, 120]}
LOADING = {"name": "loading", "type": "continuous", "bounds": [0.013, 8], "scale": "log"}
PARTS = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in "abcd"]
SIMPLEX = {"type": "simplex", "parameters": list("abcd")}


def build(parameters, constraints=(), **changes):
    data = {"name": "c", "parameters": parameters, "constraints": list(constraints), "objectives": [{"name": "y"}]}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(data | changes))


def n_digits(value):
    """Return how many digits a number is written with."""
    return len(f"{abs(value):.12g}".split("e")[0].replace(".", "").strip("0"))


def test_digits_follow_the_range_or_the_value():
    """Linear numbers are multiples of a thousandth part of the decade of their range, log-scale ones have 4 digits."""
    frame = build([HEAT, LOADING, PARTS[0]]).decode(build([HEAT, LOADING, PARTS[0]]).sample(200, rng(0, "digits")))
    assert np.array_equal(frame["heat"], frame["heat"].round(1)) and np.array_equal(frame["a"], frame["a"].round(3))
    assert max(map(n_digits, frame["loading"])) == 4 and frame["loading"].min() < 0.1


@pytest.mark.parametrize("step", [None, 0.05, 0.1])
def test_parts_add_up_exactly(step):
    """Fractions have three decimals, or are multiples of the step, and add up to 1 in decimal arithmetic."""
    steps = {} if step is None else {"step": step}
    space = build([part | steps for part in PARTS], [SIMPLEX])
    rows = space.decode(space.sample(100, rng(1, "parts"))).to_numpy()
    whole = np.round(rows / (step or 0.001))
    assert np.allclose(rows, whole * (step or 0.001), rtol=0, atol=1e-12)
    assert (whole.sum(axis=1) == round(1 / (step or 0.001))).all() and len(np.unique(rows, axis=0)) > 40


@given(
    low=st.sampled_from([-3.0, 0.0, 0.5, 20.0, 0.1]),
    step=st.sampled_from([0.1, 0.25, 0.7, 1.5]),
    n_steps=st.integers(2, 40),
    extra=st.floats(0, 0.9),
    scale=st.sampled_from(["linear", "log"]),
    rule=st.sampled_from([None, "x + y <= {}", "x + 0.5 * y >= {}", "x == y + {}"]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_any_grid_is_kept_under_any_rule(low, step, n_steps, extra, scale, rule, seed):
    """Whatever the bound, step, scale and rule: draws are `low + k * step` and meet the rule exactly."""
    low = abs(low) + 0.1 if scale == "log" else low
    x = {
        "name": "x",
        "type": "continuous",
        "bounds": [low, low + (n_steps + extra) * step],
        "scale": scale,
        "step": step,
    }
    y = {"name": "y", "type": "continuous", "bounds": [low - 1.0, low + 9.0]}
    middle = {"x + y <= {}": 2 * low + 2, "x + 0.5 * y >= {}": 1.5 * low, "x == y + {}": 0.5}.get(rule)
    space = build([x, y], [rule.format(middle)] if rule else [], objectives=[{"name": "z"}])
    points = space.sample(16, rng(seed, "grid"))
    frame = space.decode(points)
    k = (frame["x"].to_numpy() - low) / step
    assert np.abs(k - k.round()).max() < 1e-6 and k.min() > -0.1 and k.max() < n_steps + 0.1
    assert space.is_valid(frame).all() and np.allclose(space.encode(frame), points, rtol=0, atol=1e-10)
    assert [len(f"{value:.12g}") <= 12 for value in frame["x"]] == [True] * 16


def test_rounding_twice_is_rounding_once():
    """What was rounded stays as it is, alone or among others, so replay and identities agree."""
    space = build([*PARTS, HEAT], [SIMPLEX, "a + b <= 0.7", "heat * a <= 40"])
    X = space.sample(60, rng(2, "twice"))
    again, is_fine = space.rounding.rounded(X)
    single = np.vstack([space.rounding.rounded(row[None])[0] for row in X[:10]])
    assert is_fine.all() and np.array_equal(again, X) and np.array_equal(single, X[:10])


def test_a_number_with_a_step_stands_in_equations_beside_free_ones():
    """The free number follows from the stepped one and gets the digits that it needs."""
    space = build([HEAT | {"step": 2.5}, PARTS[0]], ["heat / 100 + a == 1.1"])
    frame = space.decode(space.sample(50, rng(3, "both")))
    assert (frame["heat"] % 2.5 == 0).all() and frame["heat"].nunique() > 5
    assert np.array_equal(frame["a"], ((110 - frame["heat"]) / 100).round(4))


def test_counts_keep_their_zeros_on_the_grid():
    """At most two parts differ from zero, each at least its least, all on the grid."""
    count = {"type": "cardinality", "parameters": list("abcd"), "max": 2, "least": 0.1}
    rows = build([part | {"step": 0.05} for part in PARTS], [SIMPLEX, count])
    found = rows.decode(rows.sample(60, rng(4, "count"))).to_numpy()
    assert ((found != 0).sum(axis=1) <= 2).all() and ((found == 0) | (found >= 0.1 - 1e-12)).all()
    assert len(np.unique(found, axis=0)) > 20


def test_measurements_off_the_grid_are_facts():
    """Cells between the steps are read, encoded and come back as they were; the encoding is that without steps."""
    space, plain = build([HEAT | {"step": 2.5}]), build([HEAT])
    frame = pd.DataFrame({"heat": [20.0, 47.3, 119.99]})
    assert space.check(frame) == [] and space.typed(space.decode(space.encode(frame))).equals(frame)
    assert np.array_equal(space.encode(frame), plain.encode(frame)) and space.schema_hash == plain.schema_hash
    assert space.rounding.is_set(space.encode(frame)).tolist() == [True, False, False]


def test_steps_lead_to_every_neighbor():
    """One step up or down, or from one part to another under a sum, and nothing that breaks a rule."""
    space = build(
        [HEAT | {"step": 2.5}, *(part | {"step": 0.25} for part in PARTS[:3])], ["a + b + c == 1", "a <= 0.5"]
    )
    start = pd.DataFrame({"heat": [20.0], "a": 0.5, "b": 0.5, "c": 0.0})
    found = space.decode(space.rounding.moves(space.encode(start)[0]))
    moved = {tuple(row) for row in found[["heat", "a", "b", "c"]].to_numpy().tolist()}
    assert {(22.5, 0.5, 0.5, 0.0), (20.0, 0.25, 0.75, 0.0), (20.0, 0.25, 0.5, 0.25), (20.0, 0.5, 0.25, 0.25)} == moved


@pytest.mark.parametrize(
    ("parameters", "constraints", "said"),
    [
        ([part | {"step": 0.3} for part in PARTS], [SIMPLEX], "no value on the grids of a, b, c, d"),
        ([HEAT | {"step": 25}], ["heat >= 21", "heat <= 44"], "no value on the grids of heat"),
        ([HEAT | {"step": 1}], ["heat * heat == 1600"], "without step"),
        ([HEAT | {"step": 101}], [], "at most the width of the bounds, 100; got 101"),
        ([HEAT | {"step": 1e-9}], [], "not be finer"),
        ([HEAT | {"step": 0}], [], "must be above 0; got 0"),
        ([HEAT | {"step": 1, "context": True}, PARTS[0]], [], "context: true"),
        ([{"type": "mixture", "name": "m", "ingredients": ["a", "b"], "step": 0.3}], [], "must divide the total, 1"),
    ],
)
def test_steps_that_cannot_be_kept_are_refused(parameters, constraints, said):
    """Each says what it collides with."""
    with pytest.raises(ConfigurationError, match=said):
        build(parameters, constraints)


def test_steps_beside_candidates_are_refused():
    """A list says already what can be set."""
    with pytest.raises(ConfigurationError, match=r"parameters\[0\].step must not stand beside candidates"):
        build([HEAT | {"step": 1}], candidates="c.csv")


def test_few_points_among_many_are_found():
    """Where chance misses the few grid points that a narrow band holds, programs find them."""
    steps = [{"name": name, "type": "continuous", "bounds": [0, 50], "step": 5} for name in "abc"]
    space = build(steps, ["7*a + 11*b - 13*c <= 0.5", "7*a + 11*b - 13*c >= -0.5", "a + b >= 20"])
    frame = space.decode(space.sample(8, rng(5, "few")))
    assert space.is_valid(frame).all() and (frame % 5 == 0).all(axis=None)


def test_mixtures_take_a_step():
    """A mixture with a step is written out as columns with it; amounts add up to the total on the grid."""
    space = build([{"type": "mixture", "name": "m", "ingredients": ["a", "b", "c"], "total": 100, "step": 5}])
    rows = space.decode(space.sample(40, rng(6, "mixture"))).to_numpy()
    assert (rows % 5 == 0).all() and (rows.sum(axis=1) == 100).all()
