"""Campaigns in the words of other packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import NotSupportedError
from discovery.evaluation.baselines.parameters import plain_tables
from discovery.evaluation.context import open_campaign

LIGANDS = ["XPhos", "SPhos", "BrettPhos"]


def test_candidates_are_levels_and_numbers_of_the_unit_interval(spec: CampaignSpec) -> None:
    """Rows stay in the order of the pool; levels are the campaign's."""
    context, _ = open_campaign(spec, 24, "cpu")
    tables = plain_tables(context, "ax")
    assert tables.candidates["ligand"].tolist() == context.pool.frame["ligand"].tolist()
    assert tables.candidates["temperature"].to_numpy() == pytest.approx((context.pool.frame["temperature"] - 20) / 100)
    assert tables.levels == {"ligand": tuple(LIGANDS), "base": ("DBU", "MTBD")}
    assert tables.is_number("temperature")
    assert tables.history == {}


def test_history_keeps_rows_that_the_campaign_can_hold(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """Rows with a level that is not offered are left out, with their outcomes."""
    frame = pd.read_csv(tmp_path / "earlier.csv")
    frame.replace({"ligand": {"BrettPhos": "AlPhos"}}).to_csv(tmp_path / "other.csv", index=False)
    context, _ = open_campaign(make_spec(experience={"history": ["other.csv"]}), 24, "cpu")
    tables = plain_tables(context, "baybe_transfer", tuple(context.load_history()))
    kept = frame[frame["ligand"] != "BrettPhos"]
    assert tables.history["other.csv"]["ligand"].tolist() == kept["ligand"].tolist()
    assert tables.outcomes["other.csv"] == pytest.approx(kept["yield"])


def test_parameters_that_do_not_vary_are_left_out(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """A column with one value is no parameter to others; where none varies, a sentence says so."""
    frame = pd.read_csv(tmp_path / "candidates.csv")
    frame[frame["base"] == "DBU"].to_csv(tmp_path / "candidates.csv", index=False)
    context, _ = open_campaign(make_spec(experience={}), 12, "cpu")
    assert plain_tables(context, "ax").names == ["ligand", "temperature"]
    frame.head(1).to_csv(tmp_path / "candidates.csv", index=False)
    context, _ = open_campaign(make_spec(experience={}), 1, "cpu")
    with pytest.raises(NotSupportedError, match="a parameter that varies"):
        plain_tables(context, "ax")


def test_descriptors_are_handed_on_per_level(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """A level's coordinates are its descriptors; a descriptor that is the same for all is left out."""
    table = pd.DataFrame({"ligand": LIGANDS, "cone": [1.0, 2.0, 4.0], "same": [3.0, 3.0, 3.0]})
    table.to_csv(tmp_path / "ligands.csv", index=False)
    parameters = [
        {"name": "ligand", "type": "categorical", "values": LIGANDS, "descriptors": "ligands.csv"},
        {"name": "base", "type": "categorical", "values": ["DBU", "MTBD"]},
        {"name": "temperature", "type": "continuous", "bounds": [20, 120]},
    ]
    context, _ = open_campaign(make_spec(parameters=parameters, experience={}), 24, "cpu")
    descriptors = plain_tables(context, "baybe").descriptors["ligand"]
    assert descriptors.index.tolist() == LIGANDS
    assert descriptors.shape[1] == 1
    assert (np.diff(descriptors.iloc[:, 0]) > 0).all()


def test_compositions_are_the_numbers_that_they_are_compared_by(
    make_spec: Callable[..., CampaignSpec], tmp_path: Path
) -> None:
    """Others see every fraction and property of a formula as a number of its own."""
    formulas = ["Fe0.7Co0.3", "Fe0.3Co0.7", "Fe0.5Ni0.5", "Fe0.2Co0.3Ni0.5"]
    pd.DataFrame({"alloy": formulas, "yield": [10.0, 20.0, 30.0, 40.0]}).to_csv(tmp_path / "alloys.csv", index=False)
    parameters = [{"name": "alloy", "type": "composition"}]
    context, _ = open_campaign(make_spec(parameters=parameters, candidates="alloys.csv", experience={}), 4, "cpu")
    tables = plain_tables(context, "ax")
    np.testing.assert_array_equal(tables.candidates.to_numpy(), context.pool.X)
    assert tables.names[:3] == ["alloy 1", "alloy 2", "alloy 3"] and all(map(tables.is_number, tables.names))
