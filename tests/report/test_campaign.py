"""Tables of a stored campaign: the ledger and the calibration are what was stored when proposals were made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from discovery.belief.records import HypothesisPrediction, mix
from discovery.report.campaign import (
    CampaignFrames,
    calibration_grid,
    campaign_headline,
    conditions_grid,
    ledger,
    ledger_grid,
    predictions,
)


def belief() -> HypothesisPrediction:
    """Return the mixture that was stored with every proposal."""
    return mix(
        [
            HypothesisPrediction("no_transfer", 0.25, (0.0,), (50.0,), (10.0,), "ckpt", 0),
            HypothesisPrediction("history", 0.75, (np.log(0.5),) * 2, (55.0, 65.0), (8.0, 8.0), "ckpt", 0),
        ]
    )


def test_headline_and_conditions_name_the_best(frames: CampaignFrames) -> None:
    """The best measurement stands first with its values and its experiment."""
    assert campaign_headline(frames) == "The highest yield so far is 72.5 %, at experiment 2; 3 experiments were made."
    grid = conditions_grid(frames, n=2)
    assert grid.columns == ("", "temperature (degC)", "ligand", "yield (%)", "experiment")
    assert grid.rows == (("1", "60", "B", "72.5", "2"), ("2", "80", "A", "55", "3"))


def test_a_campaign_without_measurements_says_so(frames: CampaignFrames) -> None:
    """Nothing measured is a sentence, not an error."""
    assert campaign_headline(replace(frames, measurements=frames.measurements.head(0))) == (
        "Nothing has been measured yet."
    )


def test_ledger_has_a_row_per_cycle(frames: CampaignFrames) -> None:
    """Weights over cycles as stored, and the last cycle's with its evidence."""
    table = ledger(frames)
    assert table.index.tolist() == [1, 2, 3]
    assert table["no_transfer"].tolist() == pytest.approx([0.2, 0.3, 0.4])
    grid = ledger_grid(frames)
    assert grid.rows == (("history", "0.600", "-10.00"), ("no_transfer", "0.400", "-8.00"))
    assert "no sign that the experience misleads" in grid.note


def test_predictions_are_the_stored_mixtures(frames: CampaignFrames) -> None:
    """Mean, PIT and the 90 % interval are those of the mixture over hypotheses, whatever shapes their parts have."""
    table = predictions(frames).set_index("outcome").sort_index()
    assert table["mean"].to_numpy() == pytest.approx([belief().mean] * 3)
    assert [belief().cdf(y) for y in table.index] == pytest.approx(table["pit"].tolist())
    assert [belief().cdf(y) for y in (table["lower"].iloc[0], table["upper"].iloc[0])] == pytest.approx([0.05, 0.95])


def test_calibration_grid_scores_every_hypothesis(frames: CampaignFrames) -> None:
    """The belief is scored as a mixture and each hypothesis on its own."""
    grid = calibration_grid(frames)
    cells = {row[0]: row[1:] for row in grid.rows}
    y = np.array([31.0, 72.5, 55.0])
    assert set(cells) == {"belief", "no_transfer", "history"}
    assert cells["no_transfer"][:2] == ("3", f"{-stats.norm.logpdf(y, 50, 10).mean():.2f}")
    assert cells["belief"][1] == f"{-np.mean([belief().log_density(v) for v in y]):.2f}"
