"""A campaign over mixtures, compositions or split history goes the whole way: tell, then ask."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.session import Campaign
from discovery.store import Store

ALLOY = {"type": "mixture", "name": "alloy", "ingredients": ["Fe", "Co", "Ni", "Mn"], "max_ingredients": 3}
METALS = ["Fe", "Co", "Ni", "Mn"]
COMMON = {
    "name": "m",
    "outcomes": [{"name": "y", "range": [0, 10]}],
    "objectives": [{"name": "y"}],
    "acquisition": {"batch_size": 3},
    "hypotheses": [{"name": "no_transfer"}],
}


def asked(folder, data, rows):
    """Proposals after some measurements, in a store of their own."""
    folder.mkdir(exist_ok=True)
    spec = CampaignSpec.from_mapping({**COMMON, **data}, folder)
    campaign = Campaign.open(spec, store=Store(folder / "s.duckdb"), device="cpu")
    campaign.tell(rows)
    return campaign.ask(3)


def test_mixtures_are_proposed_within_their_constraints(tmp_path):
    """Four metals, three at most, each at least a tenth: exact in every proposal, and no two the same."""
    data = {"parameters": [{**ALLOY, "min_fraction": 0.1, "elements": True}]}
    rows = pd.DataFrame(np.eye(4), columns=METALS).assign(y=[3.0, 5.0, 4.0, 1.0])
    found = asked(tmp_path / "one", data, rows)
    amounts = found[METALS].to_numpy(dtype=float)
    np.testing.assert_allclose(amounts.sum(axis=1), 1.0, rtol=1e-9)
    assert ((amounts > 0).sum(axis=1) <= 3).all()
    assert ((amounts == 0) | (amounts >= 0.1 * (1 - 1e-9))).all()
    assert len(np.unique(amounts.round(9), axis=0)) == 3


def test_compositions_are_proposed_from_the_candidates(tmp_path):
    """A result under another way of writing is the candidate's; the rest is proposed once each, in canonical form."""
    (tmp_path / "one").mkdir()
    formulas = ["Fe0.7Co0.3", "Fe0.3Co0.7", "Fe0.5Ni0.5", "Ni0.2Co0.8", "Mn0.5Fe0.5"]
    pd.DataFrame({"alloy": formulas}).to_csv(tmp_path / "one" / "pool.csv", index=False)
    data = {"parameters": [{"name": "alloy", "type": "composition"}], "candidates": "pool.csv"}
    rows = pd.DataFrame({"alloy": ["Co3Fe7", "Ni"], "y": [3.0, 5.0]})  # the second is no candidate, and teaches too
    found = asked(tmp_path / "one", data, rows)
    assert found["alloy"].nunique() == 3
    assert set(found["alloy"]) < {"Fe0.3Co0.7", "Fe0.5Ni0.5", "Co0.8Ni0.2", "Mn0.5Fe0.5"}


@pytest.mark.slow
def test_a_task_of_history_is_learned_once_whatever_its_unit(tmp_path):
    """A table of several tasks in other units trains the hypothesis that plain tables in own units train."""
    heat = np.linspace(0, 100, 8)
    parts = {name: pd.DataFrame({"heat": heat, "y": 5 + shift + heat / 50}) for name, shift in (("a", 0), ("b", 1))}
    parameters = [{"name": "heat", "type": "continuous", "bounds": [0, 100], "unit": "degC"}]
    found = {}
    for kind in ("plain", "split"):
        (tmp_path / kind).mkdir()
        if kind == "plain":
            history = [f"{name}.csv" for name in parts]
            for name, table in parts.items():
                table.to_csv(tmp_path / kind / f"{name}.csv", index=False)
        else:
            table = pd.concat([table.assign(plate=name) for name, table in parts.items()])
            table["heat"] = (table["heat"] + 273.15).round(6)
            table.to_csv(tmp_path / kind / "all.csv", index=False)
            history = [{"file": "all.csv", "task": "plate", "units": {"heat": "K"}}]
        hypotheses = [{"name": "no_transfer"}, {"name": "history"}]
        data = {"parameters": parameters, "experience": {"history": history}, "hypotheses": hypotheses}
        rows = pd.DataFrame({"heat": [10.0, 60.0], "y": [5.4, 6.3]})
        found[kind] = asked(tmp_path / kind, data, rows)["heat"].to_numpy(dtype=float)
    np.testing.assert_allclose(found["split"], found["plain"], atol=1e-3)
