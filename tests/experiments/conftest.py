"""A campaign with a small table of measurements in place of a laboratory, and a store with approved proposals."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from discovery.belief.records import HypothesisPrediction
from discovery.campaign import CampaignSpec
from discovery.cycle import ProposalDraft
from discovery.store import Store

TABLE = "ligand,temperature,yield\nA,30,10\nA,30.0,20\nB,60,40\nA,90,5\nB,90,PENDING\n"


@pytest.fixture
def make_spec(tmp_path: Path) -> Callable[..., CampaignSpec]:
    """Return a function that makes the campaign's spec, with changes."""
    (tmp_path / "table.csv").write_text(TABLE)

    def make(**changes: object) -> CampaignSpec:
        data = {
            "name": "lab",
            "parameters": [
                {"name": "ligand", "type": "categorical", "values": ["A", "B"]},
                {"name": "temperature", "type": "continuous", "bounds": [20, 100]},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "candidates": "table.csv",
            "experiment": {"type": "table", "path": "table.csv"},
        }
        given = {name: value for name, value in (data | changes).items() if value is not None}
        return CampaignSpec.from_mapping(given, tmp_path)

    return make


@pytest.fixture
def draft() -> ProposalDraft:
    """A proposal before it is stored."""
    return ProposalDraft(
        configuration={"ligand": "A", "temperature": 90.0},
        key='ligand="A"; temperature=90',
        X=(1.0, 0.0, 0.875),
        row=3,
        predictions=(HypothesisPrediction("no_transfer", 1.0, (0.0,), (50.0,), (10.0,), "c", 0),),
        mean=50.0,
        sd=10.0,
        acqf_name="log_ei",
        acqf_value=0.0,
        argued_by="no_transfer",
        argument={"no_transfer": 1.0},
        is_exploring=False,
        n_measurements=0,
        seed=1,
    )


@pytest.fixture
def store(make_spec: Callable[..., CampaignSpec], draft: ProposalDraft, tmp_path: Path) -> Store:
    """A store with three approved proposals, lab-c001-00 to -02, at 90, 30 and 60 degrees."""
    store = Store(tmp_path / "lab.duckdb")
    store.register_campaign(make_spec())
    others = [
        replace(draft, configuration={"ligand": ligand, "temperature": t}, key=f'ligand="{ligand}"; temperature={t:g}')
        for ligand, t in (("A", 30.0), ("B", 60.0))
    ]
    store.add_proposals("lab", 1, [draft, *others], "APPROVED")
    return store
