"""Promises of `discovery.campaign.expressions`: formulas compute what they say, row by row, and never run as code."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.campaign.expressions import parse, parse_comparison
from discovery.errors import ConfigurationError

COLUMNS = {"x": np.array([1.0, 4.0, 0.25]), "y": np.array([2.0, -1.0, 0.0]), "aryl halide": np.array([3.0, 3.0, 3.0])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x * y", [2, -4, 0]),
        ("x + 2*y - 1", [4, 1, -0.75]),
        ("-x ** 2", [-1, -16, -0.0625]),
        ("sqrt(x) + abs(y)", [3, 3, 0.5]),
        ("min(x, y, 1)", [1, -1, 0]),
        ("max(x, y)", [2, 4, 0.25]),
        ("exp(log(x))", [1, 4, 0.25]),
        ("log10(100 * x)", [2, math.log10(400), math.log10(25)]),
        ("`aryl halide` / x", [3, 0.75, 12]),
        ("2.5", [2.5, 2.5, 2.5]),
    ],
)
def test_formulas_compute_what_they_say(text, expected):
    """Every operation and function gives the number that it gives by hand, one for each row."""
    assert parse(text, COLUMNS)(COLUMNS) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "defined"),
    [
        ("1 / y", [True, True, False]),
        ("log(y)", [True, False, False]),
        ("sqrt(y)", [True, False, True]),
        ("min(1 / y, 5)", [True, True, False]),
        ("y ** -0.5", [True, False, False]),
        ("exp(1000 * x)", [False, False, True]),
    ],
)
def test_where_a_formula_has_no_value_it_is_nan(text, defined):
    """Division by zero, logarithms of nothing and overflow spoil their rows, also within min, and no other row."""
    assert (~np.isnan(parse(text)(COLUMNS))).tolist() == defined


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x +", "must be a formula"),
        ("", "must be a formula"),
        ("x ^ 2", "Write ** for powers"),
        ("x // 2", "must be a formula"),
        ("x < 2", "must be a formula"),
        ("sin(x)", "must be a formula; got 'sin(x)'"),
        ("x.real", "must be a formula"),
        ("x[0]", "must be a formula"),
        ("min(x)", "must be a formula"),
        ("log(x, 2)", "must be a formula"),
        ("max(*x)", "must be a formula"),
        ("abs(x=1)", "must be a formula"),
        ("(lambda: 1)()", "must be a formula"),
        ("'text'", "must be a formula"),
        ("True", "must be a formula"),
        ("x + 1e999", "must use finite numbers"),
        ("x ** 9 ** 9 ** 9", "must use finite numbers"),
        (f"x + {'9' * 400}", "must use finite numbers"),
        ("x / (1 - 1)", "must not divide by zero"),
        ("z + 1", "got 'z'"),
        ("+".join(["x"] * 500), "must not nest more than 100"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(text, message):
    """What is no formula of numbers and known names never becomes one."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text, COLUMNS)
    assert message in str(caught.value)


def test_text_is_never_run(tmp_path):
    """A call in a formula is refused without being made."""
    target = tmp_path / "made"
    with pytest.raises(ConfigurationError):
        parse(f"__import__('os').mkdir({str(target)!r})")
    with pytest.raises(ConfigurationError):
        parse(f"open({str(target)!r}, 'w')")
    assert not target.exists()


def test_a_formula_says_which_names_it_uses():
    """Names come in the order of the text, each once, without their backticks."""
    assert parse("`aryl halide` * y + y / x").names == ("aryl halide", "y", "x")


def test_formulas_cross_process_borders():
    """A pickled or copied formula computes the same and is equal."""
    formula = parse("x * y + 1")
    for again in (pickle.loads(pickle.dumps(formula)), copy.deepcopy(formula)):
        assert again == formula and np.array_equal(again(COLUMNS), formula(COLUMNS))


def test_rounding_is_told_by_the_size_of_what_is_added_up():
    """A difference of large terms has the size of the terms, a product its own."""
    columns = {"x": np.array([1e6]), "y": np.array([1e6])}
    assert parse("x - y").sized(columns)[1] == pytest.approx(2e6)
    assert parse("x * y").sized(columns)[1] == pytest.approx(1e12)


@given(
    values=st.lists(st.floats(-10, 10), min_size=3, max_size=3),
    operations=st.lists(st.sampled_from(["+", "-", "*"]), min_size=2, max_size=2),
)
def test_sums_and_products_agree_with_python(values, operations):
    """On numbers, a formula gives what Python's arithmetic gives."""
    a, b, c = values
    first, second = operations
    step = {"+": lambda p, q: p + q, "-": lambda p, q: p - q, "*": lambda p, q: p * q}
    expected = step[second](step[first](a, b), c)
    columns = {name: np.array([value]) for name, value in zip("abc", values, strict=True)}
    assert parse(f"(a {first} b) {second} c")(columns)[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_an_outcome_may_be_called_yield():
    """Words that Python keeps for itself are names like any other, with backticks and without; code stays refused."""
    assert parse("2 * yield - lambda", ["yield", "lambda"]).names == ("yield", "lambda")
    assert parse("`yield` + my_yield").names == ("yield", "my_yield")
    assert parse_comparison("yield - 2 * impurity >= 30").relation == ">="
    for text in ("lambda x: x", "(yield x)", "yield yield", "x if y else 2", "x and y"):
        with pytest.raises(ConfigurationError, match="must be a formula"):
            parse(text)
