"""Five rows walk through the house, station by station, as docs/tour.md tells it."""

import ast
import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.acquisition.pool import Choice, Search, choose_from_pool
from discovery.belief.belief import Belief
from discovery.campaign import CampaignSpec
from discovery.cycle import CycleRequest, Observations, run_cycle
from discovery.ingest import check_rows, read_rows
from discovery.meta.meta_gp import Support
from discovery.review import make_card, render_text
from discovery.session import Campaign
from discovery.store import Store

ROOT = Path(__file__).resolve().parents[1]
TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
STATIONS = re.findall(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", TOUR, flags=re.MULTILINE)
GRID = [(ligand, temperature) for ligand in ("XPhos", "SPhos") for temperature in (30.0, 50.0, 70.0, 90.0)]
FIVE = "ligand,temperature,yield\nXPhos,30,12\nXPhos,70,41\nSPhos,30,20\nSPhos,50,55\nSPhos,90,38\n"


@pytest.fixture
def spec(tmp_path: Path) -> CampaignSpec:
    """Two ligands at four temperatures, five of the eight measured."""
    pd.DataFrame(GRID, columns=["ligand", "temperature"]).to_csv(tmp_path / "candidates.csv", index=False)
    (tmp_path / "results.csv").write_text(FIVE)
    return CampaignSpec.from_mapping(
        {
            "name": "tour",
            "parameters": [
                {"name": "ligand", "type": "categorical", "values": ["XPhos", "SPhos"]},
                {"name": "temperature", "type": "continuous", "bounds": [20, 100], "unit": "degC"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "candidates": "candidates.csv",
        },
        tmp_path,
    )


def functions(path: Path) -> set[str]:
    """Return the functions and methods that a file defines, without importing it."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


@pytest.mark.parametrize(("file", "function", "gives"), STATIONS)
def test_every_station_exists(file: str, function: str, gives: str) -> None:
    """The file and the function that the tour names are there."""
    assert function in functions(ROOT / file)


def test_the_tour_tells_every_station_in_words() -> None:
    """Each row of the table has its paragraph."""
    assert len(STATIONS) == 13
    assert re.findall(r"^\*\*(\d+)\. ", TOUR, flags=re.MULTILINE) == [str(i + 1) for i in range(13)]


def test_five_rows_walk_through_the_house(spec: CampaignSpec, tmp_path: Path) -> None:
    """Each station takes a record and gives the next; at the end somebody reads a card with our rows on it."""
    campaign = Campaign.open(spec, store=tmp_path / "walk.duckdb", device="cpu")
    space, pool, store = campaign.space, campaign.pool, campaign.store

    raw = read_rows(tmp_path / "results.csv")
    assert raw.frame.shape == (5, 3)
    checked = check_rows(raw, spec, space)
    assert checked.n_rejected == 0
    landed = store.add_measurements(spec.name, checked)
    assert landed.n_added == 5
    X = space.encode(store.measurements(spec.name))
    assert X.shape == (5, 3)  # two one-hot columns and one of temperature
    observed = campaign.observations()
    np.testing.assert_array_equal(observed.X, X)
    assert observed.y.tolist() == [12.0, 41.0, 20.0, 55.0, 38.0]

    hypotheses = campaign.hypotheses()
    device = hypotheses[0].learner.device
    belief = Belief.adapt(hypotheses, Support.of(observed.X, observed.y, observed.yvar, device))
    assert belief.summary().n_measurements == 5
    request = CycleRequest(n=1, seed=spec.seed)
    result = run_cycle(space, pool, hypotheses, observed, request)
    choice = choose(belief, campaign, observed, result.drafts[0].seed)
    assert pool.keys[choice.index] == result.drafts[0].key
    (proposal_id,) = store.add_proposals(spec.name, 1, result.drafts)
    stored = store.proposal(proposal_id)
    assert stored.predictions == result.drafts[0].predictions
    card = make_card(stored, campaign.measurements(), spec, space)
    assert {neighbor.measurement_id for neighbor in card.neighbors} <= set(landed.measurement_ids)
    assert proposal_id in render_text(card)

    given = [0, landed, raw, checked, landed, X, observed, belief, choice, result, proposal_id, stored, card]
    assert [type(record).__name__ for record in given] == [gives for _, _, gives in STATIONS]
    records = [record for record in given if dataclasses.is_dataclass(record)]
    assert len(records) == 10
    assert all(record.__dataclass_params__.frozen for record in records)


def test_the_session_walks_the_same_way(spec: CampaignSpec, tmp_path: Path) -> None:
    """`tell` and `ask` are the stations in a row: what they propose is what the pure cycle chooses."""
    campaign = Campaign.open(spec, store=Store(tmp_path / "session.duckdb"), device="cpu")
    campaign.tell(tmp_path / "results.csv")
    request = CycleRequest(n=1, seed=spec.seed)
    result = run_cycle(campaign.space, campaign.pool, campaign.hypotheses(), campaign.observations(), request)
    assert campaign.ask(1)["key"].tolist() == [draft.key for draft in result.drafts]


def choose(belief: Belief, campaign: Campaign, observed: Observations, seed: int) -> Choice:
    """Choose one candidate that is not measured."""
    import torch

    allowed = np.array([key not in observed.keys for key in campaign.pool.keys])
    X = torch.as_tensor(campaign.pool.X, device=belief.steps.device)
    return choose_from_pool(belief, X, allowed, 1, Search("log_ei", 1.0, seed))[0]
