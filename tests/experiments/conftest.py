"""A campaign with a small table of measurements in place of a laboratory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.campaign import CampaignSpec

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
