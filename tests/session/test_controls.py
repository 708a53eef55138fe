"""Readings of controls are kept once, with where they were read, and are never measurements."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.session import Campaign
from discovery.session.controls import control_readings

SPEC = {
    "name": "lab",
    "parameters": [{"name": "temperature", "type": "continuous", "bounds": [0, 100]}],
    "objectives": [{"name": "yield", "goal": "maximize"}],
}
ROWS = [
    {"plate": "c001-P1", "well": "A1", "control": "blank", "temperature": None, "yield": 1.5},
    {"plate": "c001-P1", "well": "H12", "control": "reference", "temperature": 60, "yield": 71},
    {"plate": "c001-P1", "well": "A2", "control": None, "temperature": 30, "yield": 44},
]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """A campaign without a measurement."""
    return Campaign.open(CampaignSpec.from_mapping(SPEC, tmp_path), store=tmp_path / "lab.duckdb", device="cpu")


def test_controls_are_kept_and_are_no_measurements(campaign):
    """One row lands, two are kept aside with plate, well and what was in them."""
    report = campaign.tell(pd.DataFrame(ROWS))
    assert (report.n_added, report.n_controls, report.n_pending, report.n_rejected) == (1, 2, 0, 0)
    assert campaign.measurements()["yield"].tolist() == [44]
    kept = control_readings(campaign.store, "lab")
    shown = kept[["control", "outcome", "value", "plate", "well"]].values.tolist()
    assert shown == [["blank", "yield", 1.5, "c001-P1", "A1"], ["reference", "yield", 71, "c001-P1", "H12"]]
    assert kept["temperature"].tolist()[1] == 60


def test_the_same_reading_is_kept_once(campaign, tmp_path):
    """A sheet that is ingested again as it fills, or under another name and format, adds what is new only."""
    pd.DataFrame(ROWS[:1]).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(ROWS).to_excel(tmp_path / "b.xlsx", index=False)
    for name in ("a.csv", "a.csv", "b.xlsx", "b.xlsx"):
        campaign.tell(tmp_path / name)
    assert control_readings(campaign.store, "lab")["well"].tolist() == ["A1", "H12"]
    campaign.tell(pd.DataFrame([{**ROWS[0], "yield": 1.6}, {**ROWS[0], "plate": "c001-P2"}]))
    assert len(control_readings(campaign.store, "lab")) == 4


def test_controls_without_a_well_are_known_by_their_row(campaign, tmp_path):
    """Two blanks with the same value in one file are two readings, and stay two."""
    frame = pd.DataFrame([{"control": "blank", "temperature": 1, "yield": 0.0}] * 2)
    frame.to_csv(tmp_path / "a.csv", index=False)
    for _ in range(2):
        assert campaign.tell(tmp_path / "a.csv").n_controls == 2
    assert control_readings(campaign.store, "lab")["row_number"].tolist() == [1, 2]


def test_a_campaign_without_controls_has_none(campaign):
    """The table is empty and has its columns."""
    campaign.tell(pd.DataFrame(ROWS[2:]))
    kept = control_readings(campaign.store, "lab")
    assert len(kept) == 0 and {"control", "value", "plate", "well"} <= set(kept)
