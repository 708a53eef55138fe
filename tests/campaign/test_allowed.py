"""Promises of `discovery.campaign.allowed`: a constraint that cannot be meant or met is refused with its key."""

import pytest

from discovery.campaign import CampaignSpec, LinearConstraint, NonlinearConstraint
from discovery.errors import ConfigurationError

PARAMETERS = [
    {"name": "t", "type": "continuous", "bounds": [20, 100]},
    {"name": "a", "type": "continuous", "bounds": [0, 1]},
    {"name": "l", "type": "continuous", "bounds": [0.1, 10], "scale": "log"},
    {"name": "d", "type": "discrete", "values": [1, 2]},
    {"name": "dry", "type": "boolean"},
    {"name": "c", "type": "categorical", "values": ["A", "B"]},
]


def build(*constraints):
    data = {"name": "c", "parameters": PARAMETERS, "objectives": [{"name": "y"}], "constraints": list(constraints)}
    return CampaignSpec.from_mapping(data)


def exclude(**when):
    return {"type": "exclude", "when": when}


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("t * c <= 3", r"constraints\[0\] must use numbers; got the categorical parameter 'c'"),
        ("t * u <= 3", r"constraints\[0\] must use names of parameters; got 'u'"),
        ("t * a < 3", r"constraints\[0\] \('t \* a < 3'\) must compare with <=, >= or =="),
        ("t * a > 3", "cannot tell < from <="),
        ("sin(t) <= 3", "must be a formula"),
        ("2 ** 2 <= 3", "must name at least one parameter"),
        (
            {"type": "nonlinear", "expression": "t <= a <= 3"},
            r"constraints\[0\].*expression .*must hold one comparison",
        ),
        ({"type": "nonlinear", "expression": "2 ** 2 <= 3"}, "must name at least one parameter"),
        (exclude(t=[110, 120]), r"constraints\[0\].when.t must reach into the bounds, 20 to 100; got 110 to 120"),
        (exclude(t=[90, 80]), r"constraints\[0\].when.t must be a number or the two ends of an interval"),
        (exclude(t=[30, 40, 50]), "Write one constraint for each of several numbers"),
        (exclude(t="hot"), r"constraints\[0\].when.t must be a number; got 'hot'"),
        (exclude(t=120), r"constraints\[0\].when.t must be a value of the parameter; got 120"),
        (exclude(d=1.5), "Allowed: 1, 2"),
        (exclude(dry="maybe"), r"constraints\[0\].when.dry must be true or false; got 'maybe'"),
        (exclude(c=["A", "D"]), r"constraints\[0\].when.c must be one of the parameter's values; got 'D'"),
        (
            {"type": "cardinality", "parameters": ["l", "d", "a"], "max": 1},
            "must allow at least 2, for l, d cannot be 0",
        ),
        ({"type": "cardinality", "parameters": ["a", "dry"], "max": 1, "least": 2}, r"constraints\[0\].least must be"),
        ({"type": "simplex", "parameters": ["a", "dry"], "total": 3}, "can reach, 0 to 2; got 3"),
        ("a + dry >= 3", "the left side runs from 0 to 2"),
    ],
)
def test_constraints_that_cannot_be_are_refused_by_key(constraint, message):
    """The sentence names the key, what must hold and what came."""
    with pytest.raises(ConfigurationError, match=message):
        build(constraint)


def test_text_becomes_the_simplest_constraint_that_it_is():
    """A linear comparison is a linear constraint also where it looks like more; any other keeps its text."""
    linear, product = build("2 * (t + a) / 4 <= 60", "t * a <= 50").constraints
    assert isinstance(linear, LinearConstraint) and linear.coefficients == {"t": 0.5, "a": 0.5}
    assert isinstance(product, NonlinearConstraint) and str(product) == "t * a <= 50" and product.names == ("t", "a")


def test_constraints_come_back_from_json():
    """Every kind survives the store, with the same identity."""
    spec = build(
        "t * a <= 50",
        exclude(t=[80, 110], c=["A", "B"], dry=True),
        {"type": "cardinality", "parameters": ["a", "dry"], "max": 1, "least": 0.5},
    )
    again = CampaignSpec.from_json(spec.model_dump_json())
    assert again.constraints == spec.constraints and again.spec_hash == spec.spec_hash


def test_the_text_says_what_is_forbidden():
    """A constraint is written for people with its interval, its categories and its smallest amount."""
    interval, count = build(
        exclude(t=[80, 90], c=["A", "B"]), {"type": "cardinality", "parameters": ["a", "dry"], "max": 1, "least": 0.5}
    ).constraints
    assert str(interval) == "not (t = 80, 90 and c = A, B)"
    assert str(count) == "at most 1 of a, dry other than 0, each at least 0.5"
