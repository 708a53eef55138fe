"""docs/forecast.md, docs/trust.md and docs/would-it-help.md name numbers and words that the code has."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import pytest

from discovery.campaign.sections import MIN_MEASUREMENTS
from discovery.evaluation import calibration, over_history, verdict, worlds
from discovery.evaluation.forecast import MAX_COVARIANCE, ForecastRequest
from discovery.report.helped import OTHER, WORDS
from discovery.review import experience
from discovery.session import Campaign

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    """Return a page with its line breaks taken out."""
    return " ".join((DOCS / name).read_text(encoding="utf-8").replace("\n> ", " ").split())


def test_the_forecast_page_has_the_codes_numbers():
    """Worlds, members, candidates and the least number of measurements are those of the code."""
    text = page("forecast.md")
    assert ForecastRequest(1).n_draws == 64 and "64 worlds unless" in text
    assert signature(Campaign.forecast).parameters["n_draws"].default == 64
    assert worlds.N_MEMBERS == 32 and "at most 32 members" in text
    assert 480 < (MAX_COVARIANCE / 64) ** 0.5 < 520 and "more than about 500" in text
    assert MIN_MEASUREMENTS == 5 and "never given before five measurements" in text


def test_the_stop_sentence_is_the_codes(tmp_path):
    """The sentence that the page shows is the one that the code says."""
    from discovery.campaign import CampaignSpec
    from discovery.session.stopping import ExpectedGain, stop_sentence

    spec = CampaignSpec.from_mapping(
        {
            "name": "lab",
            "parameters": [{"name": "temperature", "type": "continuous", "bounds": [0, 1]}],
            "outcomes": [{"name": "yield", "unit": "%"}],
            "objectives": [{"name": "yield"}],
            "stop": {"target": 95, "min_gain": 0.5},
        }
    )
    assert stop_sentence(ExpectedGain(0.2, 1, 17, is_stored=False), spec) in page("forecast.md")


def test_the_trust_page_has_the_codes_numbers():
    """Levels of intervals and alarms are those of the code."""
    text = page("trust.md")
    levels = ", ".join(f"{100 * level:g} %" for level in calibration.LEVELS)
    assert f"inside {levels}" in text
    assert calibration.ALARM == experience.ALARM == 20.0 and text.count("20") >= 3
    for kind in calibration.BETS:
        assert f"*{kind}*" in text


@pytest.mark.parametrize("word", [verdict.HELPS, verdict.HURTS, verdict.OPEN])
def test_the_help_page_has_the_codes_words(word):
    """Verdicts, their thresholds and the words of the sentence are those of the code."""
    text = page("would-it-help.md")
    assert word in text and WORDS[verdict.HELPS] in text and OTHER["no_transfer"] in text
    assert verdict.LEAST_RATIO == 1.15 and "at least 15 %" in text
    assert round(verdict.LEAST_SHARE, 3) == 0.667 and "two runs (campaigns, for replays) out of three" in text
    assert over_history.MIN_ROWS == 8 and "fewer than eight distinct configurations" in text
