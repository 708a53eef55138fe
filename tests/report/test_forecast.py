"""Forecasts for people: the sentence says what the numbers say, in every case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.evaluation.forecast import Forecast
from discovery.report.campaign import CampaignFrames
from discovery.report.forecast import WIDTH, forecast_grid, forecast_html, forecast_sentence, forecasts_grid
from discovery.report.html import campaign_html
from discovery.report.terminal import print_campaign
from discovery.session.forecasting import FORECAST
from discovery.session.stopping import GAIN, ExpectedGain
from discovery.store.codec import to_json

LEVELS = ("0.1", "0.25", "0.5", "0.75", "0.9")


def made(needed: list[int], n: int = 6, target: float | None = 90.0, n_measured: int = 4) -> Forecast:
    """Return a forecast whose worlds took so many experiments."""
    best = 70.0 if n_measured else None
    steps = np.arange(n + 1 if n_measured else n)
    return Forecast(
        n_measured=n_measured,
        n_experiments=n,
        n_draws=max(len(needed), 1),
        n_candidates=50,
        goal="maximize",
        target=target,
        best=best,
        best_after={level: tuple((70 + float(level) * 4 * steps).tolist()) for level in LEVELS},
        needed=tuple(sorted(needed)),
        attainable=0.7,
        seconds=1.5,
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            made([2, 2, 3, 3, 3, 4, 4, 5, 6, 7]),
            "Reaching yield 90 % is likely to take 3 further experiments (80 %: 2 to 6); "
            "the probability that 6 further experiments reach it is 90 %.",
        ),
        (
            made([1] * 5 + [7] * 5, n_measured=0),
            "Reaching yield 90 % is likely to take 1 experiment (80 %: 1 to more than 6); "
            "the probability that 6 experiments reach it is 50 %.",
        ),
        (
            made([2] + [7] * 9),
            "Reaching yield 90 % is less likely than missing it: the probability that 6 further experiments reach it "
            "is 10 %. In 30 % of the worlds no candidate reaches it.",
        ),
        (made([0] * 4), "The target is reached: yield 70 %, wanted 90 %."),
        (
            made([], target=None),
            "After 6 further experiments the best yield, now 70 %, is expected to be 82 % (80 %: 72.4 % to 91.6 %).",
        ),
        (
            made([], target=None, n_measured=0),
            "After 6 experiments the best yield is expected to be 80 % (80 %: 72 % to 88 %).",
        ),
    ],
    ids=["likely", "first", "unlikely", "reached", "no target", "no target, first"],
)
def test_the_sentence_says_what_the_numbers_say(found: Forecast, sentence: str, spec: CampaignSpec) -> None:
    """Likely, unlikely, reached, or no target at all: one or two plain sentences."""
    assert forecast_sentence(found, spec) == sentence


def test_the_grid_counts_from_now(spec: CampaignSpec) -> None:
    """Rows are numbers of further experiments with quantiles of the best, the probability, and a bar in place."""
    grid = forecast_grid(made([2, 3, 5, 7]), spec)
    rows = {row[0]: row[1:] for row in grid.rows}
    assert list(rows) == ["1", "2", "3", "5", "6"]
    assert rows["5"][:4] == ("72", "80", "88", "75 %")
    assert rows["5"][4] == ("#" * round(0.75 * WIDTH)).ljust(WIDTH)
    drawn = forecast_grid(made([], target=None), spec).rows
    assert all(len(row[-1]) == WIDTH and row[-1].count("|") == 1 for row in drawn)
    assert drawn[0][-1].index("|") < drawn[-1][-1].index("|")
    assert forecast_grid(made([2]), spec, is_drawn=False).columns[-1] == "90 % reached"


def test_forecasts_over_time_count_all_experiments(spec: CampaignSpec) -> None:
    """Earlier and later forecasts are compared in experiments of the whole campaign."""
    rows = forecasts_grid([made([3, 4, 7, 7], n_measured=0), made([1, 1, 2, 3])]).rows
    assert rows[0][:5] == ("0", "3", "4", "> 6", "50 %")
    assert rows[1][:5] == ("4", "5", "5", "7", "100 %")


def test_a_page_is_made_with_and_without_a_target(spec: CampaignSpec, tmp_path: Path) -> None:
    """Two plots with a target, one without; all text is escaped by the template."""
    with_target = forecast_html(made([2, 3, 7]), spec, tmp_path / "a.html").read_text()
    without = forecast_html(made([], target=None), spec, tmp_path / "b.html").read_text()
    assert with_target.count('id="plot-') == 2 and "When the target may be reached" in with_target
    assert without.count('id="plot-') == 1 and "Best outcome to expect" in without


def test_a_campaigns_report_shows_forecasts_and_gains(
    frames: CampaignFrames, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """What was stored of forecasts, expected gains and the end stands in the terminal and on the page."""
    details = [(FORECAST, made([2, 3, 7]).to_json()), (GAIN, ExpectedGain(1.5, 2, 2, True).to_detail())]
    metrics = pd.DataFrame(
        [(1, name, 0.0, to_json(detail)) for name, detail in details], columns=["cycle", "name", "value", "detail"]
    )
    told = replace(frames, metrics=metrics, ended="Stopped after 3 of 12: too little.")
    print_campaign(told)
    said = capsys.readouterr().out
    assert "Forecasts over time" in said and "Stopped after 3 of 12" in said
    page = campaign_html(told, tmp_path / "report.html").read_text()
    assert "Expected gain" in page and "Reaching yield 90 % is likely" in page and "Stopped after 3 of 12" in page
