"""A small real campaign: 24 measured Suzuki couplings, two earlier cases as history, a store of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.session import Campaign

SUZUKI = Path(__file__).resolve().parents[2] / "data" / "suzuki_reizman"
N_ROWS = 24
CATALYSTS = ["P1-L1", "P1-L2", "P1-L3", "P1-L4", "P1-L5", "P1-L6", "P1-L7", "P2-L1"]
PARAMETERS = [
    {"name": "catalyst", "type": "categorical", "values": CATALYSTS},
    {"name": "residence_time", "type": "continuous", "bounds": [60, 600], "unit": "s", "scale": "log"},
    {"name": "temperature", "type": "continuous", "bounds": [30, 110], "unit": "degC"},
    {"name": "catalyst_loading", "type": "continuous", "bounds": [0.48, 2.53], "unit": "mol%"},
]
HISTORY = {"history": ["case_1.csv", "case_2.csv"]}
CAMPAIGN = {
    "name": "case-4",
    "parameters": PARAMETERS,
    "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
    "objectives": [{"name": "yield", "goal": "maximize"}],
    "candidates": "case_4.csv",
    "acquisition": {"name": "log_ei", "batch_size": 2},
    "budget": {"experiments": 8},
    "experiment": {"type": "table", "path": "case_4.csv"},
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first rows of every case, each configuration once."""
    folder = tmp_path_factory.mktemp("suzuki")
    for path in sorted(SUZUKI.glob("case_*.csv")):
        names = [str(parameter["name"]) for parameter in PARAMETERS]
        pd.read_csv(path).drop_duplicates(names).head(N_ROWS).to_csv(folder / path.name, index=False)
    return folder


@pytest.fixture
def table(folder: Path) -> pd.DataFrame:
    """The candidates with their measured yields."""
    return pd.read_csv(folder / "case_4.csv")


@pytest.fixture
def make_spec(folder: Path) -> Callable[..., CampaignSpec]:
    """Return a function that makes the campaign's spec, with changes; no history unless asked for."""

    def make(**changes: object) -> CampaignSpec:
        data = {name: value for name, value in (CAMPAIGN | changes).items() if value is not None}
        return CampaignSpec.from_mapping(data, folder)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A laboratory whose store holds what was meta-trained for an earlier campaign on the same space and history."""
    laboratory = tmp_path_factory.mktemp("laboratory")
    data = CAMPAIGN | {"name": "earlier-campaign", "experience": HISTORY}
    Campaign.open(CampaignSpec.from_mapping(data, folder), store=laboratory / "lab.duckdb", device="cpu").meta_train()
    return laboratory


@pytest.fixture
def make_campaign(make_spec: Callable[..., CampaignSpec], trained: Path, tmp_path: Path) -> Callable[..., Campaign]:
    """Return a function that opens the campaign on this test's store, with changes to its spec.

    `lab.duckdb` begins as a copy of the trained laboratory; a store of another name begins empty.
    """
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)

    def make(store: str = "lab.duckdb", **changes: object) -> Campaign:
        return Campaign.open(make_spec(**changes), store=tmp_path / store, device="cpu")

    return make


@pytest.fixture
def run_cycle() -> Callable[[Campaign], pd.DataFrame]:
    """Return a function that runs one cycle and returns its proposals."""

    def run(campaign: Campaign) -> pd.DataFrame:
        proposals = campaign.ask()
        campaign.review_pending()
        campaign.experiment()
        campaign.ingest_results()
        return proposals

    return run
