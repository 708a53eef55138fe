from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.belief.records import HypothesisPrediction
from discovery.campaign.supported import HYPOTHESES
from discovery.review.explain import argument_sentence, hypothesis_words, intent_sentence, interval, quantile


def mixture(weights: tuple[float, ...], means: tuple[float, ...], sds: tuple[float, ...]) -> HypothesisPrediction:
    import math

    logs = tuple(math.log(weight / sum(weights)) for weight in weights)
    return HypothesisPrediction("belief", 1.0, logs, means, sds, "c", 0)


def test_the_interval_of_one_gaussian_is_its_own() -> None:
    """With one component the bisection finds the normal quantiles."""
    low, high = interval(mixture((1.0,), (50.0,), (10.0,)))
    assert (low, high) == pytest.approx((NormalDist(50, 10).inv_cdf(0.05), NormalDist(50, 10).inv_cdf(0.95)))


@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(-1e3, 1e3), st.floats(0.1, 100.0)), min_size=1, max_size=4),
    st.floats(0.02, 0.98),
)
def test_quantile_and_distribution_are_inverse(parts: list[tuple[float, float, float]], level: float) -> None:
    """The probability below a quantile is its level, for any mixture."""
    prediction = mixture(*(tuple(values) for values in zip(*parts, strict=True)))
    assert prediction.cdf(quantile(prediction, level)) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize(
    ("argued_by", "argument", "acqf", "said"),
    [
        ("history", {"history": 0.83, "no_transfer": 0.17}, "log_ei", "83 % of the expected improvement"),
        ("no_transfer", {"no_transfer": 1.0}, "ucb", "100 % of the belief's weight"),
        ("random", {}, "random", "Chance chose it"),
    ],
)
def test_who_argues_is_said(argued_by: str, argument: dict[str, float], acqf: str, said: str) -> None:
    """The heaviest hypothesis is named with its share, and chance where it was chance."""
    assert said in argument_sentence(argued_by, argument, acqf)


@pytest.mark.parametrize(
    ("best", "is_exploring", "said"),
    [(None, False, "Nothing is measured yet"), (70.0, True, "It explores"), (70.0, False, "It exploits")],
)
def test_the_intent_is_said(best: float | None, is_exploring: bool, said: str) -> None:
    """A proposal explores, exploits, or is the first."""
    assert intent_sentence(80.0, best, is_exploring=is_exploring).startswith(said)


def test_names_of_hypotheses_are_for_people() -> None:
    """Every kind of hypothesis is explained in a few words."""
    assert hypothesis_words("simulator:gp_prior").startswith("simulator gp_prior")
    assert "earlier campaigns" in hypothesis_words("history")
    assert all(hypothesis_words(name).endswith(")") for name in HYPOTHESES)
    assert hypothesis_words("mine") == "mine"
