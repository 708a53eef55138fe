"""Promises of `discovery.space.space`: tables and points are two views of the same configurations."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError, NotSupportedError, ShapeError
from discovery.seeds import rng
from discovery.space import SearchSpace

PARAMETERS = [
    {"name": "catalyst", "type": "categorical", "values": ["no", "1", "1.5", "a,b[c]", "None"]},
    {"name": "temperature", "type": "continuous", "bounds": [30, 110]},
    {"name": "loading", "type": "continuous", "bounds": [0.05, 2.5], "scale": "log"},
    {"name": "eq", "type": "discrete", "values": [2, 1, 1.5, 10]},
]


def build(parameters=PARAMETERS, **changes):
    return SearchSpace.from_spec(
        CampaignSpec.from_mapping({"name": "c", "parameters": parameters, "objectives": [{"name": "y"}], **changes})
    )


SPACE = build()
ROWS = pd.DataFrame(
    {"catalyst": ["no", "1", "None"], "temperature": [30.0, 70.0, 110.0], "loading": [0.05, 0.5, 2.5], "eq": [1, 2, 10]}
)


def test_blocks_say_where_parameters_stand():
    """One coordinate per number, one per category, in the order of the file."""
    assert [(b.name, b.kind, b.start, b.stop, b.n_values) for b in SPACE.blocks] == [
        ("catalyst", "categorical", 0, 5, 5),
        ("temperature", "continuous", 5, 6, 0),
        ("loading", "continuous", 6, 7, 0),
        ("eq", "discrete", 7, 8, 4),
    ]
    assert SPACE.n_dims == 8
    assert SPACE.blocks[3].values == (1.0, 1.5, 2.0, 10.0)


def test_encoding_is_what_the_design_says():
    """One-hot categories, linear and log scaling, discrete values scaled by their range."""
    expected = [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0.5, np.log(10) / np.log(50), 1 / 9],
        [0, 0, 0, 0, 1, 1, 1, 1],
    ]
    assert np.allclose(SPACE.encode(ROWS), expected, rtol=0, atol=1e-15)


def test_cells_mean_the_same_however_they_are_written():
    """Text, integers and floats give the same points and keys; further columns and their order do not matter."""
    text = pd.DataFrame(
        {
            "note": ["x", "y", "z"],
            "eq": ["1.0", " 2", "1e1"],
            "loading": ["0.05", "0.5", "2.5"],
            "temperature": ["30", "70.0", "110"],
            "catalyst": [" no ", "1.0", "None"],
        }
    )
    mixed = ROWS.assign(catalyst=["no", 1, "None"], temperature=[30, "70", np.float32(110)]).astype(object)
    for other in (text, mixed):
        assert np.array_equal(SPACE.encode(other), SPACE.encode(ROWS))
        assert SPACE.keys(other) == SPACE.keys(ROWS)


def test_keys_are_stable_text():
    """A key names every parameter; numbers carry 12 significant digits, categories stand in quotes."""
    assert SPACE.keys(ROWS)[1] == 'catalyst="1"; temperature=70; loading=0.5; eq=2'
    near = ROWS.assign(temperature=ROWS["temperature"] * (1 - 1e-14) + 1e-13)
    assert SPACE.keys(near) == SPACE.keys(ROWS)
    far = ROWS.assign(temperature=[31, 71, 109])
    assert not set(SPACE.keys(far)) & set(SPACE.keys(ROWS))


def test_keys_of_awkward_categories_do_not_collide():
    """Categories that contain separators or quotes keep their keys apart."""
    names = ["a", 'a"; q="b', "a; q=b", 'a"', "a\\"]
    space = build([{"name": n, "type": "categorical", "values": names} for n in ("p", "q")])
    pairs = pd.DataFrame([(p, q) for p in names for q in names], columns=["p", "q"])
    assert len(set(space.keys(pairs))) == len(pairs)


points = st.integers(0, 2**32 - 1).map(lambda seed: rng(seed, "points").random((7, SPACE.n_dims)))


@given(X=points)
@settings(max_examples=50)
def test_decode_gives_valid_configurations_that_encode_back(X):
    """encode(decode(encode(frame))) equals encode(frame), and keys survive the trip."""
    frame = SPACE.decode(X)
    assert SPACE.check(frame) == []
    once = SPACE.encode(frame)
    again = SPACE.decode(once)
    assert np.allclose(SPACE.encode(again), once, rtol=0, atol=1e-11)
    assert SPACE.keys(again) == SPACE.keys(frame)


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
    share=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    scale=st.sampled_from(["linear", "log"]),
)
@settings(max_examples=60)
def test_numbers_round_trip_for_any_bounds(low, width, share, scale):
    """Whatever the bounds and the scale, a value within them comes back to 12 digits and stays within them."""
    low = abs(low) + 1e-3 if scale == "log" else low
    space = build([{"name": "x", "type": "continuous", "bounds": [low, low + width], "scale": scale}])
    frame = pd.DataFrame({"x": (low + width * np.array(share)).clip(low, low + width)})
    X = space.encode(frame)
    assert ((X >= 0) & (X <= 1)).all()
    assert space.check(space.decode(X)) == []
    assert np.allclose(space.decode(X)["x"], frame["x"], rtol=1e-10, atol=1e-11 * (abs(low) + width))


@given(values=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=6, unique=True), divisor=st.integers(1, 1000))
@settings(max_examples=60)
def test_listed_numbers_round_trip_exactly(values, divisor):
    """Every listed number is found, also 1e-10 of it away, and comes back exactly."""
    numbers = [value / divisor for value in values]
    space = build([{"name": "x", "type": "discrete", "values": numbers}])
    frame = pd.DataFrame({"x": numbers})
    assert space.decode(space.encode(frame))["x"].tolist() == numbers
    assert np.array_equal(space.encode(frame * (1 + 1e-10)), space.encode(frame))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_must_be_finite(value):
    """NaN has no nearest configuration."""
    with pytest.raises(InputError, match="must be finite"):
        SPACE.decode(np.full((1, 8), value))


def test_points_must_have_the_dimensions_of_the_space():
    """A point of another space is refused."""
    with pytest.raises(ShapeError, match="n x d"):
        SPACE.decode(np.zeros((1, 3)))


def test_points_outside_the_cube_are_clipped():
    """Decoding takes the nearest valid value."""
    frame = SPACE.decode(np.array([[0, 0, 0, 0, 0.1, -0.2, 1.4, 9.0]]))
    assert frame.loc[0].tolist() == ["None", 30.0, 2.5, 10.0]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("catalyst", "maybe", "must be one of no, 1, 1.5, a,b[c], None"),
        ("catalyst", "", "must be given"),
        ("catalyst", None, "must be given"),
        ("temperature", "hot", "must be a number"),
        ("temperature", "1_00", "must be a number"),
        ("temperature", True, "must be a number"),
        ("temperature", np.nan, "must be given"),
        ("temperature", " ", "must be given"),
        ("temperature", "inf", "must be a finite number"),
        ("temperature", 29.9, "must be between 30 and 110"),
        ("temperature", "110.1", "must be between 30 and 110"),
        ("eq", 3, "must be one of 1, 1.5, 2, 10"),
        ("eq", "x", "must be a number"),
    ],
)
def test_a_wrong_cell_is_told_with_row_column_and_rule(column, value, rule):
    """`check` lists the cell, and `encode` refuses with the same words."""
    cells = ROWS[column].astype(object).copy()
    cells[1] = value
    frame = ROWS.assign(**{column: cells})
    (fault,) = SPACE.check(frame)
    assert (fault.row, fault.column, fault.reason) == (1, column, rule)
    with pytest.raises(InputError) as caught:
        SPACE.encode(frame)
    assert f"{column} {rule}; got " in str(caught.value) and "data row 2" in str(caught.value)


def test_all_wrong_cells_are_told_not_only_the_first():
    """Faults come from every column, in the order of the rows."""
    frame = ROWS.assign(catalyst=["no", "?", "None"], temperature=["x", 200, 50], eq=[7, 7, 1])
    faults = [(f.row, f.column) for f in SPACE.check(frame)]
    assert faults == [(0, "temperature"), (0, "eq"), (1, "catalyst"), (1, "temperature"), (1, "eq")]
    with pytest.raises(InputError, match=r"\(4 more\)"):
        SPACE.encode(frame)


def test_a_missing_or_repeated_column_is_refused():
    """The whole table is refused, by the name of the column."""
    with pytest.raises(InputError, match="must have the column 'eq'"):
        SPACE.check(ROWS.drop(columns="eq"))
    with pytest.raises(InputError, match="must have only one column 'eq'"):
        SPACE.encode(pd.concat([ROWS, ROWS[["eq"]]], axis=1))


def test_an_empty_table_is_an_empty_set_of_points():
    """No rows give no points, no keys, no faults."""
    empty = ROWS.iloc[:0]
    assert SPACE.encode(empty).shape == (0, 8)
    assert SPACE.keys(empty) == [] and SPACE.check(empty) == []
    assert len(SPACE.decode(np.empty((0, 8)))) == 0


def test_the_hash_follows_the_parameters():
    """The same parameters hash alike whatever else the campaign says; another bound, level or order does not."""
    assert build(seed=3, constraints=["temperature <= 100"]).schema_hash == SPACE.schema_hash
    hotter = [{**PARAMETERS[1], "bounds": [30, 111]}]
    others = [PARAMETERS[:3], PARAMETERS[::-1], [PARAMETERS[0], *hotter, *PARAMETERS[2:]]]
    assert len({build(other).schema_hash for other in others} | {SPACE.schema_hash}) == 4


def test_a_space_crosses_process_borders():
    """A pickled space encodes the same."""
    again = pickle.loads(pickle.dumps(build(constraints=["temperature <= 100"])))
    assert np.array_equal(again.encode(ROWS), SPACE.encode(ROWS))
    assert again.schema_hash == SPACE.schema_hash


def test_constraints_are_told_in_the_convention_of_botorch():
    """A raw constraint and its encoded form hold for the same points."""
    space = build(
        constraints=["2*temperature - x <= 70", "x >= 5"],
        parameters=[PARAMETERS[0], PARAMETERS[1], {"name": "x", "type": "continuous", "bounds": [-20, 180]}],
    )
    X = rng(0, "any").random((500, space.n_dims))
    raw = pd.DataFrame({"t": 30 + 80 * X[:, 5], "x": -20 + 200 * X[:, 6]})
    expected = ((2 * raw["t"] - raw["x"] <= 70) & (raw["x"] >= 5)).to_numpy()
    holds = [X[:, dims] @ factors >= rhs for dims, factors, rhs in space.inequality_constraints]
    assert np.array_equal(np.logical_and.reduce(holds), expected)
    assert 0 < expected.sum() < len(expected)
    assert space.equality_constraints == []


def test_a_simplex_is_an_encoded_equality():
    """Fractions on a simplex give one equality over their coordinates."""
    space = build(
        [{"name": n, "type": "continuous", "bounds": [0, 0.5]} for n in "abc"],
        constraints=[{"type": "simplex", "parameters": list("abc")}],
    )
    ((dims, factors, rhs),) = space.equality_constraints
    assert (dims.tolist(), factors.tolist(), rhs) == ([0, 1, 2], [0.5, 0.5, 0.5], 1.0)


def test_constraints_that_contradict_each_other_are_refused():
    """Two constraints that are possible alone and not together give one sentence."""
    with pytest.raises(ConfigurationError, match="possible together"):
        build(constraints=["temperature >= 90", "temperature <= 80"])


def test_what_is_not_built_never_becomes_a_space():
    """A space of molecules that are not listed is refused."""
    with pytest.raises(NotSupportedError, match="candidates: molecules that are not listed"):
        build([{"name": "s", "type": "molecule"}])


def test_boolean_categories_match_truth_values():
    """`true` in the file and True in a table are the same category."""
    space = build([{"name": "stirred", "type": "categorical", "values": [True, False]}])
    frames = [[True, False], ["True", "FALSE"], ["true", "false"]]
    for cells in frames:
        assert np.array_equal(space.encode(pd.DataFrame({"stirred": cells})), np.eye(2))


def test_numbers_as_categories_match_as_numbers_unless_that_is_ambiguous():
    """`01` is found by 1, but not where `1` is a category of its own; text always comes first."""
    alone = build([{"name": "plate", "type": "categorical", "values": ["01", "2.50"]}])
    assert np.array_equal(alone.encode(pd.DataFrame({"plate": [1, 2.5]})), np.eye(2))
    both = build([{"name": "plate", "type": "categorical", "values": ["01", "1", "001"]}])
    assert np.array_equal(both.encode(pd.DataFrame({"plate": ["01", "1", "001"]})), np.eye(3))
    assert len(both.check(pd.DataFrame({"plate": ["1.0"]}))) == 1


def test_the_room_loads_nothing_heavy():
    """`import discovery.space` loads neither torch, duckdb, prefect nor scipy."""
    code = "import sys, json, discovery.space; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "duckdb", "prefect", "scipy"} & set(json.loads(done.stdout))
