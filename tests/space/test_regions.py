"""Promises of `regions`, `rare` and `polytope`: draws are even where that has a closed form; rare rows are found."""

import numpy as np
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, NoCandidateError
from discovery.seeds import rng
from discovery.space import SearchSpace

FRACTIONS = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in "abc"]
HEAT = {"name": "heat", "type": "continuous", "bounds": [20, 120]}
LOG = {"name": "l", "type": "continuous", "bounds": [0.001, 10], "scale": "log"}
LIST = {"name": "d", "type": "discrete", "values": [0, 0.5, 1]}


def build(parameters, constraints):
    return SearchSpace.from_spec(
        CampaignSpec.from_mapping(
            {"name": "c", "parameters": parameters, "constraints": constraints, "objectives": [{"name": "y"}]}
        )
    )


def test_every_set_of_ingredients_is_as_likely():
    """Of three ingredients at most two: the three pairs and the three single ones come equally often."""
    simplex = {"type": "simplex", "parameters": list("abc")}
    space = build([*FRACTIONS, HEAT], [simplex, {"type": "cardinality", "parameters": list("abc"), "max": 2}])
    frame = space.decode(space.sample(3000, rng(0, "sets")))
    sets = (frame[list("abc")] > 0).astype(int).astype(str).agg("".join, axis=1)
    shares = sets.value_counts(normalize=True)
    assert set(shares.index) == {"100", "010", "001", "110", "101", "011"}
    assert np.abs(shares - 1 / 6).max() < 0.035
    assert abs(frame.loc[sets == "110", "a"].mean() - 0.5) < 0.03


def test_amounts_within_a_set_are_even():
    """With a least amount, an ingredient of a pair is uniform between it and the rest."""
    simplex = {"type": "simplex", "parameters": list("abc")}
    count = {"type": "cardinality", "parameters": list("abc"), "max": 2, "least": 0.2}
    frame = build(FRACTIONS, [simplex, count]).decode(build(FRACTIONS, [simplex, count]).sample(3000, rng(1, "even")))
    amounts = frame.loc[(frame["a"] > 0) & (frame["b"] > 0), "a"]
    assert amounts.min() >= 0.2 - 1e-9 and amounts.max() <= 0.8 + 1e-9
    assert abs(amounts.mean() - 0.5) < 0.03 and abs(amounts.std() - 0.6 / np.sqrt(12)) < 0.02


def test_log_scale_numbers_in_a_sum_are_even_in_their_logarithm():
    """A log-scale number that a linear one makes up for has the median of its logarithms, not of its values."""
    space = build([LOG, {**HEAT, "bounds": [0, 10]}], ["l + heat == 10"])
    values = space.decode(space.sample(2000, rng(2, "log")))["l"]
    assert 0.05 < np.median(values) < 0.2  # 0.1 in the logarithm, 5 in the value


def test_two_inequalities_that_make_a_plane_are_one():
    """Points between `a <= b` and `a >= b` lie on the plane and differ from each other."""
    space = build(FRACTIONS, ["a - b <= 0", "b - a <= 0"])
    frame = space.decode(space.sample(200, rng(3, "plane")))
    assert np.abs(frame["a"] - frame["b"]).max() < 1e-9 and frame["a"].std() > 0.2


@pytest.mark.parametrize(
    ("constraints", "n_different"),
    [
        (["(a - 0.3) ** 2 + (b - 0.6) ** 2 <= 1e-7"], 100),
        (["a * b == 0.25"], 100),
        (["a * b * c >= 0.999"], 3),  # less than two readable digits wide
        (["exp(20 * a) <= 1.0001", "b <= 0.1 * c"], 100),
    ],
)
def test_what_chance_hardly_meets_is_found(constraints, n_different):
    """Tiny regions and curved surfaces give as many different valid points as can be read."""
    space = build(FRACTIONS, constraints)
    X = space.sample(128, rng(4, "rare"))
    frame = space.decode(X)
    assert space.is_valid(frame).all() and len(set(space.keys(frame))) > n_different
    assert frame["c"].std() > (0.1 if "c" not in constraints[0] else 0.0)
    assert np.array_equal(X, space.sample(128, rng(4, "rare")))


@pytest.mark.parametrize(
    ("parameters", "constraints", "hardest"),
    [
        (FRACTIONS, ["a * b >= 1.5"], r"a \* b >= 1.5"),
        (FRACTIONS, ["log(a - 2) >= 0"], r"log\(a - 2\) >= 0"),
        ([HEAT, LIST], ["heat * d == 7"], r"heat \* d == 7"),
        ([HEAT], [{"type": "exclude", "when": {"heat": [0, 200]}}], "not "),
    ],
)
def test_what_cannot_be_met_is_said_with_the_hardest_constraint(parameters, constraints, hardest):
    """Where nothing is found, the sentence names the constraint that random configurations meet least."""
    with pytest.raises(NoCandidateError, match=f"none was found. The hardest to meet is .*{hardest}"):
        build(parameters, constraints).sample(4, rng(0))


@pytest.mark.parametrize(
    ("parameters", "constraints"),
    [
        ([HEAT, LIST, {**LIST, "name": "e"}], ["d + e == 0.7"]),
        ([*FRACTIONS, LIST], ["a + b + c + d == 2.9", {"type": "cardinality", "parameters": list("abc"), "max": 1}]),
        ([HEAT, LIST], ["heat + 30 * d >= 130", "heat - 30 * d <= 80", "d <= 0.7"]),
    ],
)
def test_sums_and_counts_that_contradict_each_other_are_refused(parameters, constraints):
    """What no list and no set of zeros can make possible is refused before anything is drawn."""
    with pytest.raises(ConfigurationError, match="possible together"):
        build(parameters, constraints)
