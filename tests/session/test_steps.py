"""Numbers that can be set, from a campaign file with steps to sheets, edits, results and replay."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.acquisition import continuous
from discovery.campaign import CampaignSpec
from discovery.errors import InputError
from discovery.experiments.sheets import write_sheet
from discovery.session import Campaign
from discovery.session.sheets import open_sheet

MIXTURE = {
    "type": "mixture",
    "name": "solvent",
    "ingredients": ["EC", "DMC", "EMC"],
    "step": 0.05,
}
PARAMETERS = [
    MIXTURE,
    {"name": "heat", "type": "continuous", "bounds": [20, 120], "step": 2.5},
    {"name": "salt", "type": "continuous", "bounds": [0.01, 2.0], "scale": "log"},
]
SPEC = {
    "name": "steps",
    "parameters": PARAMETERS,
    "constraints": ["heat <= 60 + 100*EC"],
    "outcomes": [{"name": "y", "range": [0, 100]}],
    "objectives": [{"name": "y"}],
    "hypotheses": [{"name": "no_transfer"}],
    "acquisition": {"batch_size": 2},
    "budget": {"experiments": 12, "initial": 2},
    "review": {"mode": "required"},
}
NAMES = ["EC", "DMC", "EMC", "heat", "salt"]


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """A campaign whose amounts and temperature have steps, with two measurements off the grid."""
    monkeypatch.setattr(continuous, "N_STARTS", 128)
    monkeypatch.setattr(continuous, "N_POLISHED", 2)
    found = Campaign.open(CampaignSpec.from_mapping(SPEC, tmp_path), store=tmp_path / "lab.duckdb", device="cpu")
    rows = pd.DataFrame({"EC": [0.333333, 0.1], "DMC": [0.666667, 0.9], "EMC": 0.0, "heat": [47.3, 60.0], "salt": 0.5})
    assert found.tell(rows.assign(y=[40.0, 55.0])).n_added == 2
    return found


def is_set(rows: pd.DataFrame) -> bool:
    """Check the grids, the sum and the digits by arithmetic of its own."""
    amounts, heat = rows[["EC", "DMC", "EMC"]].to_numpy(dtype=float) / 0.05, (rows["heat"].astype(float) - 20) / 2.5
    on_grid = np.abs(amounts - amounts.round()).max() < 1e-9 and np.abs(heat - heat.round()).max() < 1e-9
    is_short = all(float(f"{value:.4g}") == value for value in rows["salt"].astype(float))
    return bool(on_grid and is_short and (amounts.round().sum(axis=1) == 20).all())


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_sheet_shows_numbers_to_set_and_comes_back(campaign: Campaign, tmp_path: Path, suffix: str) -> None:
    """First and later proposals are on the grid; a filled sheet is linked to them with the same identity."""
    for n in (2, 1):
        asked = campaign.ask(n)
        assert len(asked) == n and is_set(asked)
        campaign.review_pending(auto_approve=True)
    sheet = open_sheet(campaign, "open")
    path = write_sheet(sheet, tmp_path / f"sheet{suffix}")
    read = pd.read_csv(path, dtype=str) if suffix == ".csv" else pd.read_excel(path, dtype=str)
    filled = read[read["proposal_id"].notna() & read["proposal_id"].str.startswith("steps-", na=False)]
    assert len(filled) == 3 and filled[NAMES].map(len).to_numpy().max() <= 7
    assert campaign.tell(filled[["proposal_id", *NAMES]].assign(y=[50.0, 51.0, 52.0])).n_added == 3
    measured, stored = campaign.measurements().iloc[2:], campaign.proposals()
    assert sorted(measured["key"]) == sorted(stored["key"])


def test_edits_keep_to_the_grid_and_results_need_not(campaign: Campaign) -> None:
    """An edit off the grid is refused with the nearest values; what was executed otherwise is taken as it was."""
    proposal_id = campaign.ask(1)["proposal_id"].iloc[0]
    rest = {"EC": 1.0, "DMC": 0.0, "EMC": 0.0}
    with pytest.raises(InputError, match=r"must keep to the step 2.5 of heat, counted from 20; got 47.3") as refused:
        campaign.decide(proposal_id, "edit", "ann", "warmer", {"heat": "47.3", **rest})
    assert "47.5" in str(refused.value.hint) and "45" in str(refused.value.hint)
    edited = campaign.decide(proposal_id, "edit", "ann", "warmer", {"heat": "47.5", **rest})
    done = pd.DataFrame([{"proposal_id": proposal_id, **edited.configuration, "heat": 46.9, "y": 61.0}])
    assert campaign.tell(done).n_added == 1
    assert campaign.measurements()["heat"].iloc[-1] == 46.9


def test_a_replay_and_a_new_store_give_the_same(campaign: Campaign, tmp_path: Path) -> None:
    """Rounding is part of the choice: what is computed again is equal, digit by digit."""
    campaign.ask()
    second = campaign.ask(1)
    assert campaign.replay(second["proposal_id"].iloc[0]).is_equal
    other = Campaign.open(campaign.spec, store=tmp_path / "other.duckdb", device="cpu")
    other.tell(campaign.measurements()[[*NAMES, "y"]])
    other.ask()
    pd.testing.assert_frame_equal(other.ask(1)[NAMES], second[NAMES])


def test_a_step_may_change_while_the_campaign_runs(campaign: Campaign) -> None:
    """Nothing is trained again, and the next proposals keep to the new step."""
    campaign.ask(1)
    parameters = [MIXTURE, PARAMETERS[1] | {"step": 10}, PARAMETERS[2]]
    spec = CampaignSpec.from_mapping({**SPEC, "parameters": parameters}, campaign.spec.base_dir)
    changed = Campaign.open(spec, store=campaign.store, device="cpu")
    assert changed.space.schema_hash == campaign.space.schema_hash
    assert (changed.ask(2)["heat"] % 10 == 0).all()
