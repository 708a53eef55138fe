"""Programs and laboratories may report bounds, and that an experiment cannot succeed."""

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ExperimentError
from discovery.experiments.adapter import InfeasibleExperimentError
from discovery.experiments.messages import read_report, result_of

SPEC = CampaignSpec.from_mapping(
    {
        "name": "lab",
        "parameters": [{"name": "t", "type": "continuous", "bounds": [0, 1]}],
        "objectives": [{"name": "yield"}],
    }
)


@pytest.mark.parametrize(("said", "value", "side"), [("<5", 5.0, "<"), (">= 100", 100.0, ">"), ("< 0.5", 0.5, "<")])
def test_a_bound_is_reported_as_text(said: str, value: float, side: str) -> None:
    """The number is the outcome, and its side travels beside it to the measurement."""
    found = result_of(read_report(f'{{"outcomes": {{"yield": "{said}"}}}}'), SPEC, "The laboratory")
    assert (found.outcomes, found.extra) == ({"yield": value}, {"yield_limit": side})


@pytest.mark.parametrize("said", ["<much", "5", "<"])
def test_other_text_is_no_outcome(said: str) -> None:
    """Text without a sign and a number fails the experiment, and says what to write."""
    with pytest.raises(ExperimentError, match="must report the outcome yield as a number"):
        result_of(read_report(f'{{"outcomes": {{"yield": "{said}"}}}}'), SPEC, "The laboratory")


def test_infeasible_is_not_failed() -> None:
    """A report of an experiment that cannot succeed is over, and is told apart from one that failed."""
    report = read_report('{"status": "infeasible", "error": "it does not dissolve"}')
    assert report.is_over
    with pytest.raises(InfeasibleExperimentError, match="cannot succeed: it does not dissolve"):
        result_of(report, SPEC, "The laboratory")
