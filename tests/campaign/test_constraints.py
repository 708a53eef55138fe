"""Promises of `discovery.campaign.constraints`: text becomes a linear constraint, or is refused, and never runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.campaign import parse_linear
from discovery.errors import ConfigurationError

NAMES = ["temperature", "loading", "aryl halide", "b"]


@pytest.mark.parametrize(
    ("text", "coefficients", "relation", "rhs"),
    [
        ("temperature + 10*loading <= 120", {"temperature": 1, "loading": 10}, "<=", 120),
        ("120 >= temperature + loading*10", {"temperature": -1, "loading": -10}, ">=", -120),
        ("temperature - 2*(loading - 3) >= b", {"temperature": 1, "loading": -2, "b": -1}, ">=", -6),
        ("-temperature/4 == -2.5e1", {"temperature": -0.25}, "==", -25),
        ("2*3*b <= +1", {"b": 6}, "<=", 1),
        ("`aryl halide` + b <= 1", {"aryl halide": 1, "b": 1}, "<=", 1),
        ("b + b - temperature <= temperature", {"b": 2, "temperature": -2}, "<=", 0),
        ("  b <=\t1 ", {"b": 1}, "<=", 1),
    ],
)
def test_linear_text_becomes_coefficients(text, coefficients, relation, rhs):
    """Names collect on the left-hand side, numbers on the right-hand side."""
    parsed = parse_linear(text, NAMES)
    assert (parsed.coefficients, parsed.relation, parsed.rhs) == (coefficients, relation, rhs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("temperature", "must be a comparison"),
        ("temperature <=", "must be a comparison"),
        ("", "must be a comparison"),
        ("temperature = 3", "must be a comparison"),
        ("temperature < 3", "must compare with <=, >= or =="),
        ("temperature != 3", "must compare with <=, >= or =="),
        ("1 <= b <= 3", "must hold one comparison"),
        ("temperature*loading <= 3", "must be linear"),
        ("1/b <= 3", "must be linear"),
        ("b/0 <= 3", "must be linear"),
        ("b**2 <= 3", "must be linear"),
        ("abs(b) <= 3", "must be linear"),
        ("b <= True", "must be linear"),
        ("b <= 1j", "must be linear"),
        ("b.real <= 1", "must be linear"),
        ("3 <= 4", "must name at least one parameter"),
        ("b - b <= 4", "must name at least one parameter"),
        ("temprature <= 4", "got 'temprature'. Did you mean 'temperature'"),
        ("b <= 1e999", "must use finite numbers"),
        ("(" * 500 + "b" + ")" * 500 + " <= 1", "must be a comparison"),
    ],
)
def test_text_that_is_not_linear_is_refused(text, message):
    """Anything but a linear comparison of known names gives one sentence."""
    with pytest.raises(ConfigurationError, match=message.replace("*", r"\*").replace(".", r"\.")):
        parse_linear(text, NAMES)


def test_text_is_never_run(tmp_path):
    """A call in the text is refused without being made."""
    target = tmp_path / "made"
    with pytest.raises(ConfigurationError, match="must be linear"):
        parse_linear(f"open({str(target)!r}, 'w') <= 1")
    assert not target.exists()


@given(
    factors=st.lists(st.floats(-1e6, 1e6).filter(lambda f: abs(f) > 1e-6), min_size=3, max_size=3),
    rhs=st.floats(-1e6, 1e6),
    relation=st.sampled_from(["<=", ">=", "=="]),
)
def test_what_is_written_out_reads_back(factors, rhs, relation):
    """The text of a constraint is one that parses to the same constraint, up to 12 digits."""
    names = ["temperature", "loading", "b"]
    terms = " + ".join(f"{factor!r}*{name}" for factor, name in zip(factors, names, strict=True))
    parsed = parse_linear(f"{terms} {relation} {rhs!r}", names)
    assert list(parsed.coefficients.values()) == factors
    again = parse_linear(str(parsed), names)
    assert again.relation == relation
    assert list(again.coefficients.values()) == pytest.approx(factors, rel=1e-11)
    assert again.rhs == pytest.approx(rhs, rel=1e-11)
