"""Tables of a stored campaign: the ledger and the calibration are what was stored when proposals were made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from discovery.belief.records import HypothesisPrediction, mix
from discovery.report.campaign import (
    CampaignFrames,
    campaign_headline,
    conditions_grid,
    experience_words,
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
    one = replace(frames, measurements=frames.measurements.head(1))
    assert campaign_headline(one).endswith("; 1 experiment was made.")
    grid = conditions_grid(frames, n=2)
    assert grid.columns == ("", "temperature (degC)", "ligand", "yield (%)", "experiment")
    assert grid.rows == (("1", "60", "B", "72.5", "2"), ("2", "80", "A", "55", "3"))


def test_a_campaign_without_measurements_says_so(frames: CampaignFrames) -> None:
    """Nothing measured is a sentence, not an error."""
    assert campaign_headline(replace(frames, measurements=frames.measurements.head(0))) == (
        "Nothing has been measured yet."
    )


def test_ledger_counts_measurements(frames: CampaignFrames) -> None:
    """Weights stand by the number of measurements seen; the last ones with their evidence, and what came since."""
    table = ledger(frames)
    assert table.index.tolist() == [0, 1, 2]
    assert table["no_transfer"].tolist() == pytest.approx([0.2, 0.3, 0.4])
    grid = ledger_grid(frames)
    assert grid.rows == (("history", "0.600", "-10.00"), ("no_transfer", "0.400", "-8.00"))
    assert grid.title.endswith("(after 2 measurements; 3 are measured now)")


def test_the_ledger_takes_the_last_of_cycles_without_a_measurement_between(frames: CampaignFrames) -> None:
    """Two cycles that have seen the same measurements are one point in time, and the later one counts."""
    later = frames.evidence[frames.evidence["cycle"] == 3].assign(cycle=4, weight=0.5)
    twice = replace(frames, evidence=pd.concat([frames.evidence, later]))
    assert ledger(twice)["history"].tolist() == pytest.approx([0.8, 0.7, 0.5])


def test_words_about_the_experience_are_those_of_the_ledger(frames: CampaignFrames) -> None:
    """A ledger without an alarm says that nothing speaks against the experience; without a ledger nothing is said."""
    assert experience_words(frames).startswith("Nothing speaks against the experience (e-value 1.5 after 2")
    assert experience_words(replace(frames, evidence=frames.evidence.head(0))) == ""


def test_predictions_are_the_stored_mixtures(frames: CampaignFrames) -> None:
    """Mean, PIT and the 90 % interval are those of the mixture over hypotheses, whatever shapes their parts have."""
    table = predictions(frames.stored["belief"]).set_index("outcome").sort_index()
    assert table["mean"].to_numpy() == pytest.approx([belief().mean] * 3)
    assert [belief().cdf(y) for y in table.index] == pytest.approx(table["pit"].tolist())
    assert [belief().cdf(y) for y in (table["lower"].iloc[0], table["upper"].iloc[0])] == pytest.approx([0.05, 0.95])


def test_shown_intervals_end_where_the_outcome_does(frames: CampaignFrames) -> None:
    """Nobody is shown a yield above 100 %: means and intervals are cut at the range, scores are not touched."""
    stored = frames.stored["belief"]
    free, cut = predictions(stored), predictions(stored, (50.0, 60.0))
    assert (free["upper"] > 60).all() and (free["lower"] < 50).all()
    assert cut["upper"].eq(60).all() and cut["lower"].eq(50).all() and cut["pit"].equals(free["pit"])


def test_hypotheses_are_stacked_in_one_order(frames: CampaignFrames) -> None:
    """What knows nothing lies at the bottom of every plot, whatever the order in the store."""
    turned = replace(frames, evidence=frames.evidence.iloc[::-1])
    assert list(ledger(turned).columns) == list(ledger(frames).columns) == ["no_transfer", "history"]
