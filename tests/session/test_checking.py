"""Results that come late, again, or with another column after the campaign has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.session import Campaign
from tests.session.free_campaign import FREE, HEAT, LIGAND, ROWS, SALT

Open = Callable[..., Campaign]


@pytest.fixture
def edit(tmp_path: Path) -> Open:
    """Return a function that opens the campaign with changes to its file, on one store."""

    def opened(**changes: object) -> Campaign:
        return Campaign.open(CampaignSpec.from_mapping(FREE | changes, tmp_path), store=tmp_path / "lab.duckdb")

    return opened


def test_rows_of_an_earlier_version_land(edit: Open, tmp_path: Path) -> None:
    """After a change a file with old rows and new ones lands whole, but for what no version has room for."""
    edit().tell(ROWS)
    narrow = edit(parameters=[LIGAND, HEAT | {"bounds": [0, 80]}], budget={"experiments": 9})
    late = pd.DataFrame({"heat": [90.0, 20.0, 999.0], "ligand": ["A", "B", "A"], "yield": [70.0, 30.0, 1.0]})
    pd.concat([ROWS, late]).to_csv(tmp_path / "all.csv", index=False)
    report = narrow.tell(tmp_path / "all.csv")
    assert (report.n_added, report.n_rejected) == (6, 1)
    assert narrow.tell(tmp_path / "all.csv").n_added == 0
    assert narrow.observations().y.tolist() == [20.0, 60.0, 50.0] * 2 + [30.0]


def test_other_order_of_parameters_keeps_configurations_apart(edit: Open, tmp_path: Path) -> None:
    """What is measured, rejected or open in a list of candidates is not proposed again in another order of the file."""
    pd.DataFrame({"heat": [10.0, 20.0, 30.0, 40.0], "ligand": "A"}).to_csv(tmp_path / "list.csv", index=False)
    campaign = edit(candidates="list.csv")
    first, second = campaign.ask().to_dict("records")
    campaign.decide(first["proposal_id"], "reject", "ann", "too hot")
    campaign.tell(pd.DataFrame([{"heat": second["heat"], "ligand": "A", "yield": 5.0}]))
    turned = edit(candidates="list.csv", parameters=[LIGAND, HEAT])
    assert set(turned.ask(4)["heat"]) == {10.0, 20.0, 30.0, 40.0} - {first["heat"], second["heat"]}


@pytest.mark.parametrize("fate", ["counts", "corrected", "retracted"])
def test_a_file_with_a_new_column_lands_nothing_twice(edit: Open, tmp_path: Path, fate: str) -> None:
    """The laboratory adds the new parameter to its growing file: rows that were known are known still."""
    path = tmp_path / "results.csv"
    ROWS.to_csv(path, index=False)
    campaign = edit()
    campaign.tell(path)
    if fate == "corrected":
        campaign.correct("free-m0002", {"yield": 61.0}, "typing error")
    elif fate == "retracted":
        campaign.retract("free-m0002", "wrong vial")
    more = edit(parameters=[SALT | {"held": "none"}, HEAT, LIGAND])
    grown = pd.concat([ROWS.assign(salt="none"), ROWS.head(1).assign(salt="LiCl")])
    grown.to_csv(path, index=False)
    assert more.tell(path).n_added == 1
    grown.assign(**{"yield": grown["yield"].replace(60.0, 61.0)}).to_csv(path, index=False)
    assert more.tell(path).n_added == (0 if fate == "corrected" else 1)
