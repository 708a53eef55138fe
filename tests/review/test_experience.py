"""The alarm against the experience, in words that name what, since when, what happens and what may be done."""

from __future__ import annotations

import pandas as pd
import pytest

from discovery.belief import weights
from discovery.campaign import CampaignSpec
from discovery.review.experience import ALARM, experience_sentences, judge_experience

SPEC = {
    "name": "lab",
    "parameters": [{"name": "temperature", "type": "continuous", "bounds": [0, 100]}],
    "objectives": [{"name": "yield"}],
    "experience": {
        "history": ["autumn.csv", {"campaign": "winter"}],
        "simulators": [{"name": "gp_prior"}],
    },
}


@pytest.fixture
def spec() -> CampaignSpec:
    """A campaign with two sources of history and a simulator."""
    return CampaignSpec.from_mapping(SPEC)


def ledger(e_values: list[float], leads: dict[str, float] | None = None) -> pd.DataFrame:
    """Return a ledger of cycles with two measurements each; `leads` is what no transfer leads by at the end."""
    leads = leads or {"history": 0.0, "simulator:gp_prior": 0.0}
    rows = [
        (i + 1, name, 2 * i, -50.0 - lead, 0.9 if name == "no_transfer" else 0.05, e)
        for i, e in enumerate(e_values)
        for name, lead in {"no_transfer": 0.0, **leads}.items()
    ]
    return pd.DataFrame(rows, columns=["cycle", "hypothesis", "n_measurements", "log_evidence", "weight", "e_value"])


def test_the_level_is_that_of_the_belief():
    """The words and the stored alarm speak of the same level."""
    assert ALARM == weights.ALARM


def test_an_alarm_says_what_since_when_and_what_may_be_done(spec):
    """Three sentences: which experience and since when, what the pipeline does, what the team may do."""
    fit = judge_experience(ledger([1.0, 8.0, 25.0, 60.0], {"history": 4.0, "simulator:gp_prior": 1.0}), spec)
    what, happens, may = experience_sentences(fit)
    assert fit.is_alarm and fit.misfits == ("history",)
    assert "60 times better" in what and "raised when 4 were measured" in what
    assert "the history (autumn.csv, campaign:winter)" in what and "gp_prior" not in what
    assert "no_transfer" in happens and "90 % of the search" in happens
    assert "take it out of `experience`" in may


def test_every_source_that_misleads_is_named_worst_first(spec):
    """Simulators are named like the history, and the worst comes first."""
    fit = judge_experience(ledger([400.0], {"history": 4.0, "simulator:gp_prior": 9.0}), spec)
    assert fit.sources == ("the simulator gp_prior", "the history (autumn.csv, campaign:winter)")


def test_an_alarm_that_has_passed_is_said_to_have_passed(spec):
    """The last alarm is dated, and what is true now is said first of all."""
    fit = judge_experience(ledger([25.0, 2.0, 30.0, 30.0, 3.0]), spec)
    assert not fit.is_alarm and fit.alarm_since == 4
    (said,) = experience_sentences(fit)
    assert "stands no more" in said and "after 8 measurements the e-value is 3" in said


def test_experience_that_fits_is_one_sentence(spec):
    """Without an alarm nothing is asked of anybody."""
    (said,) = experience_sentences(judge_experience(ledger([1.0, 0.2]), spec))
    assert said == "Nothing speaks against the experience (e-value 0.2 after 2 measurements; alarm at 20)."


def test_without_experience_there_is_nothing_to_judge(spec):
    """A belief of one hypothesis, and an empty ledger, have no verdict."""
    alone = ledger([1.0])
    assert judge_experience(alone[alone["hypothesis"] == "no_transfer"], spec) is None
    assert judge_experience(alone.head(0), spec) is None
