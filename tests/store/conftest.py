"""A small real campaign and a real DuckDB file for the tests of the store."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.belief.records import HypothesisPrediction
from discovery.campaign import CampaignSpec
from discovery.ingest import CheckedRows, check_rows, read_rows
from discovery.space import SearchSpace
from discovery.store import Store

CAMPAIGN = {
    "name": "lab",
    "parameters": [
        {"name": "temperature", "type": "continuous", "bounds": [0, 100]},
        {"name": "ligand", "type": "categorical", "values": ["A", "B"]},
    ],
    "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
    "objectives": [{"name": "yield", "goal": "maximize"}],
}


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> CampaignSpec:
    """The campaign `lab`: one number, one category, one outcome."""
    return CampaignSpec.from_mapping(CAMPAIGN, tmp_path_factory.mktemp("spec"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, spec: CampaignSpec) -> Path:
    """A file with the campaign registered; tests work on copies."""
    store = Store(tmp_path_factory.mktemp("template") / "lab.duckdb")
    store.register_campaign(spec)
    return store.path


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Store:
    """A store with the campaign registered."""
    return Store(shutil.copy(template, tmp_path / "lab.duckdb"), wait_s=5.0)


@pytest.fixture(scope="session")
def check(spec: CampaignSpec) -> Callable[..., CheckedRows]:
    """Check a table of results, from columns or a file, against the campaign."""
    space = SearchSpace.from_spec(spec)

    def check_table(source: dict[str, list] | Path) -> CheckedRows:
        return check_rows(read_rows(pd.DataFrame(source) if isinstance(source, dict) else source), spec, space)

    return check_table


@pytest.fixture
def prediction() -> Callable[..., HypothesisPrediction]:
    """Make a two-component prediction of one hypothesis."""

    def make(name: str = "history", mean: float = 50.0) -> HypothesisPrediction:
        return HypothesisPrediction(name, 0.5, (-0.5, -1.0), (mean, mean + 1), (2.0, 3.0), "ckpt-1", 4)

    return make


@pytest.fixture
def draft(prediction: Callable[..., HypothesisPrediction]) -> Callable:
    """Make a proposal draft at a temperature with ligand A."""
    from discovery.cycle import ProposalDraft

    def make(temperature: float = 40.0, **changes: object) -> ProposalDraft:
        values = {
            "configuration": {"temperature": temperature, "ligand": "A"},
            "key": f'temperature={temperature:g}; ligand="A"',
            "X": (temperature / 100, 1.0, 0.0),
            "row": 3,
            "predictions": (prediction("history", temperature), prediction("no_transfer")),
            "mean": temperature,
            "sd": 2.0,
            "acqf_name": "log_ei",
            "acqf_value": -1.25,
            "argued_by": "history",
            "argument": {"history": 0.75, "no_transfer": 0.25},
            "is_exploring": False,
            "n_measurements": 4,
            "seed": 2**62 + 1,
        }
        return ProposalDraft(**{**values, **changes})

    return make
