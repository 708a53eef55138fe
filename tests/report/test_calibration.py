"""Calibration in a report: the table scores every hypothesis, the plot lies where it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from discovery.evaluation.calibration import StoredPredictions
from discovery.report.calibration import STATED, calibration_grid, coverage_figure
from discovery.report.campaign import CampaignFrames
from discovery.report.terminal import print_campaign


def test_calibration_grid_scores_every_hypothesis(frames: CampaignFrames) -> None:
    """The belief comes first, scored as a mixture, then each hypothesis on its own."""
    grid = calibration_grid(frames.stored, "%")
    cells = {row[0]: dict(zip(grid.columns, row, strict=True)) for row in grid.rows}
    y = np.array([31.0, 72.5, 55.0])
    assert next(iter(cells)) == "belief" and set(cells) == {"belief", "no_transfer", "history"}
    assert cells["no_transfer"]["predictions"] == "3"
    assert cells["no_transfer"]["NLPD"] == f"{-stats.norm.logpdf(y, 50, 10).mean():.2f}"
    assert cells["no_transfer"]["RMSE (%)"] == f"{np.sqrt(np.mean((y - 50) ** 2)):.3g}"
    assert cells["no_transfer"]["inside 50 %"] == "0.33"  # 31 and 72.5 are 1.9 and 2.25 sds off, 55 half a one
    assert cells["no_transfer"]["inside 95 %"] == "0.67"


def test_the_plot_shows_observed_over_stated_coverage() -> None:
    """Outcomes at the predicted median lie inside every interval; those far off inside none."""
    n = 6
    ones = np.ones((n, 1))
    exact = StoredPredictions(
        "belief", np.zeros(n), np.arange(n), np.arange(n), ("p",) * n, np.log(ones), 0 * ones, ones
    )
    lines = {trace.name: trace for trace in coverage_figure({"belief": exact}).data}
    assert np.asarray(lines["belief"].y) == pytest.approx(np.ones(len(STATED)))
    far = {"belief": replace(exact, outcome=np.full(n, 50.0))}
    assert max({trace.name: trace for trace in coverage_figure(far).data}["belief"].y) == 0.0


def test_the_terminal_says_whether_predictions_drift(frames: CampaignFrames, capsys: pytest.CaptureFixture) -> None:
    """Scores are printed with the sentence about drift, and left out where no prediction was tested."""
    print_campaign(frames)
    assert "No sign of drift: 67 % of the last 3 outcomes" in capsys.readouterr().out
    print_campaign(replace(frames, calibration=frames.calibration.head(0)))
    assert "NLPD" not in capsys.readouterr().out
